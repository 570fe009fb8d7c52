//! Labels of SELinux, under the policy of one page that lies beside step10.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lab::{boxed, report, row};

const SELINUX: &str = "/sys/fs/selinux";

/// Gives the kernel our policy; `None` where it has no SELinux in use, or a
/// policy already, which is not ours to replace.
fn load_policy() -> Option<()> {
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
    let policy = witness::Folder::new();
    let mut secilc = Command::new("secilc");
    secilc.args(["-c", "33", "-f", "/dev/null", "-o"]);
    secilc.arg(policy.join("policy")).arg(source);
    assert!(secilc.status().expect("start secilc").success());
    let policy = fs::read(policy.join("policy")).expect("read the policy");
    // The kernel wants all of it in one write.
    fs::write(Path::new(SELINUX).join("load"), policy).expect("load it");
    Some(())
}

#[test]
#[ignore = "needs SELinux: scripts/test runs it in the VM"]
fn selinux_has_labels_and_two_modes() {
    if load_policy().is_none() {
        return;
    }
    let script = "printf workshop_u:workshop_r:container_t \
        >/proc/thread-self/attr/exec && exec \"$0\"";
    let there = boxed(&["sh", "-c", script]);
    let label = "workshop_u:workshop_r:container_t";
    for (mode, mark) in [("1", "gagged"), ("0", "free")] {
        fs::write(Path::new(SELINUX).join("enforce"), mode).expect("switch");
        let found = report(there.pid);
        let found = row(&found, "gags", "label");
        assert_eq!(found["mark"], mark, "{found:#}");
        assert_eq!(found["facts"]["label"], label, "{found:#}");
    }
}
