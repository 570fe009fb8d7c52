//! The real machine that this runs on, whatever it is.

use std::path::Path;
use std::process::Command;

use super::answer::Report;
use super::report::check;

fn doctor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    command.arg("doctor");
    command
}

#[test]
fn it_tells_the_truth_about_what_can_be_seen_otherwise() {
    let report = Report::read(&doctor().arg("--json").output().unwrap());
    // Where the root of the groups has this file there is one hierarchy.
    let controllers = Path::new("/sys/fs/cgroup/cgroup.controllers");
    let (state, text, _) = report.of("cgroups");
    let is_unified = text.starts_with("version 2");
    assert_eq!(is_unified, controllers.exists(), "{state} {text}");
    let (state, ..) = report.of("root");
    if nix::unistd::geteuid().is_root() {
        assert_eq!(state, "fine");
    }
    let output = Command::new("uname").arg("-r").output().unwrap();
    let release = String::from_utf8(output.stdout).unwrap();
    assert!(report.of("kernel").1.contains(release.trim()));
}

#[test]
fn in_a_pid_namespace_it_is_inside_a_container() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: no namespace can be made");
        return;
    }
    let mut unshare = witness::command("unshare");
    unshare.args(["--fork", "--pid", "--mount-proc", "--cgroup"]);
    unshare.arg(env!("CARGO_BIN_EXE_workshop")).args(["doctor", "--json"]);
    let report = Report::read(&unshare.output().unwrap());
    let (_, text, _) = report.of("here");
    let is_said = text.contains("container already") || text.contains("WSL2");
    assert!(is_said, "{text}");
}

#[test]
fn where_proc_is_covered_no_user_namespace_has_its_own() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: only for root bubblewrap covers /proc/irq");
        return;
    }
    let bubble = |command: &[&str]| {
        let mut bubblewrap = Command::new("bwrap");
        bubblewrap.args(["--unshare-pid", "--ro-bind", "/", "/"]);
        bubblewrap.args(["--proc", "/proc", "--dev", "/dev"]);
        bubblewrap.args(command).output()
    };
    let mount = "mount -t proc proc /proc";
    let users = ["unshare", "-Urmpf", "sh", "-c", mount];
    let Ok(output) = bubble(&users) else {
        eprintln!("no bubblewrap: nothing to look at");
        return;
    };
    let doctor = [env!("CARGO_BIN_EXE_workshop"), "doctor", "--json"];
    let report = Report::read(&bubble(&doctor).unwrap());
    let findings = report.0["findings"].as_array().unwrap();
    let is_said = findings.iter().any(|found| found["subject"] == "proc");
    assert_eq!(is_said, !output.status.success(), "{report:?} {output:?}");
}

#[test]
fn nobody_may_ask_too() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: cannot become nobody");
        return;
    }
    // A copy that all can reach: another user cannot enter our folder.
    let script = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \
                  --inh-caps=-all /proc/self/fd/9 doctor 9<\"$0\"";
    let mut command = witness::command("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_workshop")]);
    let output = command.output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    check(&page);
    assert!(page.contains(" rungs run here."), "{page} {:?}", output.stderr);
    assert!(!page.contains("you are root"), "{page}");
}

#[test]
fn it_writes_nothing() {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=%file,ftruncate"]);
    strace.arg(env!("CARGO_BIN_EXE_workshop")).arg("doctor");
    let Ok(output) = strace.output() else {
        eprintln!("no strace: cannot watch it");
        return;
    };
    let calls = String::from_utf8_lossy(&output.stderr);
    assert!(calls.contains("/proc/self/mountinfo"), "{calls}");
    let writes =
        ["O_WRONLY", "O_RDWR", "O_CREAT", "mkdir", "unlink", "rename"];
    for call in calls.lines() {
        // Rust's runtime opens /dev/null where a standard stream is closed.
        let is_write = writes.iter().any(|word| call.contains(word));
        assert!(!is_write || call.contains("/dev/null"), "{call}");
    }
}
