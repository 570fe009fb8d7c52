//! `workshop apparmor` loads the profile, and says why where it cannot.

mod target;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;
use target::{Target, output_of};

const LOADED: &str = "/sys/kernel/security/apparmor/profiles";

/// The machine has one list of profiles, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for a turn; `None` where there is no AppArmor. (A machine with
/// control groups, as `scripts/test` asks for, may still have none.)
fn turn() -> Option<MutexGuard<'static, ()>> {
    if !Path::new(LOADED).exists() {
        eprintln!("no AppArmor here");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Runs the companion with parts of the machine covered by a script.
fn on_a_bad_machine(target: &Target, script: &str) -> Result<String> {
    let script = format!("{script}; ./debug/workshop apparmor");
    let mut unshare = witness::command("unshare");
    unshare.args(["--mount", "sh", "-ec", &script]).current_dir(&target.0);
    let output = unshare.env_remove("RUST_BACKTRACE").output()?;
    let words = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1), "{words}");
    ensure!(output.stdout.is_empty(), "it says more than why not");
    Ok(words)
}

/// Covers the list of the kernel's modules by one with only AppArmor in it.
const MODULES: &str = "mount -t tmpfs modules /sys/module; \
    mkdir -p /sys/module/apparmor/parameters";

#[test]
fn where_it_cannot_be_loaded_it_says_why() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: nothing can be mounted");
        return Ok(());
    }
    let target = Target::new()?;
    let enabled = "/sys/module/apparmor/parameters/enabled";
    let machines = [
        (
            "mount -t tmpfs modules /sys/module".to_owned(),
            ["built without AppArmor", "scripts/vm"],
        ),
        (
            format!("{MODULES}; echo N >{enabled}"),
            ["not enabled", "kernel parameter security=apparmor"],
        ),
        (
            format!(
                "{MODULES}; echo Y >{enabled}; \
                 mount -t tmpfs security /sys/kernel/security"
            ),
            ["its files are not here", "mount -t securityfs"],
        ),
        (
            // mount(8) and mkdir(1) may be in sbin as well: cover it last.
            format!(
                "{MODULES}; echo Y >{enabled}; \
                 mount -t tmpfs security /sys/kernel/security; \
                 mkdir /sys/kernel/security/apparmor; \
                 mount -t tmpfs sbin /usr/sbin; export PATH=/nowhere"
            ),
            ["find apparmor_parser", "sudo apt install apparmor"],
        ),
    ];
    for (script, wanted) in machines {
        let words = on_a_bad_machine(&target, &script)?;
        for wanted in wanted {
            assert!(words.contains(wanted), "{script}: {words}");
        }
        assert!(words.contains("\n  try: "), "{words}");
    }
    Ok(())
}

/// A shell that wears the profile, run until its stdin ends.
struct Wearer(Child);

impl Wearer {
    /// Starts it and waits until it has the label.
    fn new() -> Result<Wearer> {
        let script = "echo exec workshop-container \
            >/proc/self/attr/apparmor/exec && exec cat";
        let mut command = witness::command("sh");
        command.args(["-c", script]).stdin(Stdio::piped());
        let wearer = Wearer(command.spawn()?);
        let label = format!("/proc/{}/attr/current", wearer.0.id());
        witness::eventually("a shell to wear the profile", || {
            let label = fs::read_to_string(&label).unwrap_or_default();
            label == "workshop-container (enforce)\n"
        });
        Ok(wearer)
    }
}

impl Drop for Wearer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_loaded() -> Result<bool> {
    let text = fs::read_to_string(LOADED).context(LOADED)?;
    Ok(text.lines().any(|line| line == "workshop-container (enforce)"))
}

#[test]
#[ignore = "needs AppArmor: scripts/test runs it in the VM"]
fn it_loads_and_unloads() -> Result<()> {
    let Some(_turn) = turn() else { return Ok(()) };
    let target = Target::new()?;
    assert!(!is_loaded()?);
    for _again in 0..2 {
        let printed = target.run(&["apparmor"])?;
        let next = "cargo run -p step10 -- --apparmor workshop-container\n";
        assert!(printed.ends_with(next), "{printed}");
        assert!(is_loaded()?);
    }
    let wearer = Wearer::new()?;
    let page = target.run(&["peek", &wearer.0.id().to_string()])?;
    let label = "gagged label     workshop-container (enforce)\n";
    assert!(page.contains(label), "{page}");
    for command in [&["apparmor", "--remove"][..], &["clean"]] {
        let words = target.fail(command)?;
        let wanted = format!("process {} wears it", wearer.0.id());
        assert!(words.contains(&wanted), "{words}");
        assert!(is_loaded()?);
    }
    drop(wearer);
    let printed = target.run(&["apparmor", "--remove"])?;
    assert_eq!(printed, "unloaded workshop-container\n");
    assert!(!is_loaded()?);
    let printed = target.run(&["apparmor", "--remove"])?;
    assert_eq!(printed, "workshop-container is not loaded\n");
    Ok(())
}

#[test]
#[ignore = "needs AppArmor: scripts/test runs it in the VM"]
fn clean_unloads_it_and_no_other() -> Result<()> {
    let Some(_turn) = turn() else { return Ok(()) };
    let target = Target::new()?;
    let other = target.path("other");
    fs::write(&other, "profile workshop-container-of-mine { file, }\n")?;
    let parser = |option| {
        let mut command = witness::command("apparmor_parser");
        output_of(command.arg(option).arg(&other).output()?)
    };
    parser("-r")?;
    assert_eq!(target.run(&["clean"])?, "nothing to remove\n");
    target.run(&["apparmor"])?;
    assert_eq!(target.run(&["clean"])?, "removed the AppArmor profile\n");
    assert!(!is_loaded()?);
    let text = fs::read_to_string(LOADED)?;
    assert!(text.contains("workshop-container-of-mine"), "{text}");
    parser("-R")?;
    Ok(())
}

#[test]
#[ignore = "needs AppArmor and a learner with sudo: scripts/test runs it in \
            the VM"]
fn a_learner_is_told_what_sudo_is_for() -> Result<()> {
    let Some(_turn) = turn() else { return Ok(()) };
    let target = Target::new()?;
    let as_learner = |arguments: &[&str]| {
        let mut command = witness::command("runuser");
        command.args(["-u", "learner", "--"]).arg(target.binary());
        command.args(arguments).current_dir(&target.0).output()
    };
    let output = as_learner(&["apparmor"])?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("so only root may change them"), "{words}");
    assert!(words.contains(": sudo apparmor_parser -r "), "{words}");
    assert!(is_loaded()?, "{words}");
    // Even an ordinary user can see that there is something to remove.
    let output = as_learner(&["clean"])?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains(": sudo apparmor_parser -R "), "{words}");
    assert!(!is_loaded()?, "{words}");
    Ok(())
}

/// Runs scripts in mount and network namespaces of their own, with the profile
/// on or without, and says which of them succeed.
fn apart(scripts: &[&str], worn: bool) -> Result<Vec<bool>> {
    let wear = "echo exec workshop-container \
        >/proc/self/attr/apparmor/exec || exit";
    let set_up = "ip link set lo up; mount -t tmpfs root /root";
    let each = "for script; do \
        sh -c \"$script\" </dev/null >/dev/null 2>&1; echo $?; done";
    let wear = if worn { wear } else { "" };
    let mut unshare = witness::command("unshare");
    unshare.args(["--mount", "--net", "sh", "-c"]);
    unshare.arg(format!("{set_up}\n{wear}\nexec sh -c '{each}' sh \"$@\""));
    let output = output_of(unshare.arg("sh").args(scripts).output()?)?;
    Ok(output.lines().map(|status| status == "0").collect())
}

#[test]
#[ignore = "needs AppArmor: scripts/test runs it in the VM"]
fn the_profile_leaves_ordinary_life_alone() -> Result<()> {
    let Some(_turn) = turn() else { return Ok(()) };
    let target = Target::new()?;
    target.run(&["apparmor"])?;
    // (what to try, whether the profile lets it pass); without, all pass.
    let attempts = [
        ("mkdir /root/.ssh && rmdir /root/.ssh", false),
        ("mkdir /root/other && rmdir /root/other", true),
        ("mkdir -p /run/m && mount -t tmpfs none /run/m", false),
        ("echo 0 >/proc/sys/net/ipv4/ip_forward", false),
        ("cat /proc/sys/net/ipv4/ip_forward", true),
        ("sleep 9 & kill $!", true),
        ("ip link && ps", true),
        ("ping -c1 -w9 127.0.0.1", true),
        ("echo exec unconfined >/proc/self/attr/apparmor/exec", false),
    ];
    let scripts = attempts.map(|(script, _)| script);
    let wanted = attempts.map(|(_, passes)| passes);
    assert_eq!(apart(&scripts, true)?, wanted);
    assert_eq!(apart(&scripts, false)?, attempts.map(|_| true));
    target.run(&["apparmor", "--remove"])?;
    Ok(())
}
