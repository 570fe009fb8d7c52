//! SELinux in a virtual machine that waits for a policy.

use std::fs;
use std::path::Path;

use crate::Folder;

const SELINUX: &str = "/sys/fs/selinux";

/// Gives the kernel our policy. `None` where SELinux is not in use, or where a
/// policy is loaded already: that is not ours to replace.
pub fn load_policy() -> Option<()> {
    let label = fs::read_to_string("/proc/self/attr/current");
    let label = label.unwrap_or_default();
    let is_ours = label.starts_with("workshop_u:");
    if !Path::new(SELINUX).join("load").exists()
        || !label.starts_with("kernel") && !is_ours
    {
        eprintln!("no SELinux here that waits for a policy");
        return None;
    }
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let source = steps.join("step10/selinux/workshop.cil");
    let policy = Folder::new();
    let mut secilc = crate::command("secilc");
    secilc.args(["-c", "33", "-f", "/dev/null", "-o"]);
    secilc.arg(policy.join("policy")).arg(source);
    assert!(secilc.status().expect("start secilc").success());
    let policy = fs::read(policy.join("policy")).expect("read the policy");
    // The kernel wants all of it in one write.
    fs::write(Path::new(SELINUX).join("load"), policy).expect("load it");
    Some(())
}

/// Makes the policy refuse, or only report.
///
/// # Panics
/// Where there is no SELinux.
pub fn enforce(is_on: bool) {
    let mode = if is_on { "1" } else { "0" };
    let path = Path::new(SELINUX).join("enforce");
    fs::write(path, mode).expect("switch SELinux");
}
