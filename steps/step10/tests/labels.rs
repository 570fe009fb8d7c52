//! step10 with a Linux Security Module: AppArmor and SELinux have their say
//! after all else has allowed something.

use std::fs;
use std::path::Path;

use witness::{Folder, Machine, Report, run, selinux, start};

const STEP10: &str = env!("CARGO_BIN_EXE_step10");
const NONE: [&str; 2] = ["--network", "none"];

fn step10(flags: &[&str], script: &str) -> Report {
    let command = ["--", "sh", "-c", script];
    run(STEP10, &[&["-q"], &NONE[..], flags, &command].concat())
}

/// The profile that comes with step10, loaded for as long as this lives;
/// `None` on a machine without AppArmor.
struct Profile;

const NAME: &str = "workshop-container";

impl Profile {
    fn load() -> Option<Profile> {
        if !Path::new("/sys/kernel/security/apparmor/profiles").exists() {
            eprintln!("no AppArmor here");
            return None;
        }
        Profile::parser("--replace");
        Some(Profile)
    }

    fn parser(action: &str) {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/apparmor/workshop-container"
        );
        let mut parser = witness::command("apparmor_parser");
        let status = parser.args([action, file]).status();
        assert!(status.expect("start apparmor_parser").success());
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        Profile::parser("--remove");
    }
}

#[test]
#[ignore = "needs AppArmor: scripts/test runs it in the VM"]
fn apparmor_denies_what_all_else_allows() {
    let _machine = Machine::new();
    let Some(_profile) = Profile::load() else { return };
    let with = ["--apparmor", NAME];
    let script = "mkdir /root/.ssh";
    let report = step10(&with, script);
    assert_eq!(report.status, 1, "{}", report.stdout);
    assert!(report.stderr.contains("Permission denied"));
    assert_eq!(step10(&[], script).status, 0, "the control: no profile");
    let other = step10(&with, "mkdir /root/other && ps && id");
    assert_eq!(other.status, 0, "the control: {}", other.stderr);
}

#[test]
#[ignore = "needs AppArmor: scripts/test runs it in the VM"]
fn apparmor_is_read_back_and_cannot_be_taken_off() {
    let _machine = Machine::new();
    let Some(_profile) = Profile::load() else { return };
    let label = format!("{NAME} (enforce)");
    for more in [&[][..], &["--init"], &["--new-privs"], &["--user", "7"]] {
        let flags = [&NONE[..], &["--apparmor", NAME], more].concat();
        let script = "cat /proc/self/attr/current; \
            echo exec unconfined >/proc/self/attr/exec || echo kept";
        let mut process = start(STEP10, &flags, script);
        assert_eq!(process.hear(), label, "{more:?}");
        assert_eq!(process.hear(), "kept", "{more:?}");
        if !more.contains(&"--init") {
            let outside = process.read("attr/current");
            assert_eq!(outside.trim_end(), label, "{more:?}");
        }
        let ledger = process.end().stderr;
        assert!(ledger.contains("gagged label     workshop-container"));
    }
    let process = start(STEP10, &NONE, "");
    let outside = process.read("attr/current");
    assert_eq!(outside.trim_end(), "unconfined", "the control");
    let ledger = process.end().stderr;
    assert!(ledger.contains("FREE   label     unconfined"), "{ledger}");
}

#[test]
#[ignore = "needs AppArmor: scripts/test runs it in the VM"]
fn apparmor_without_the_profile_is_an_error_before_anything_is_made() {
    let _machine = Machine::new();
    if Profile::load().is_none() {
        return;
    }
    let report = step10(&["--apparmor", NAME], "true");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("cargo workshop apparmor"), "{report:?}");
    assert!(report.stderr.contains("no profile workshop-container is"));
}

const SECRET: &str = "workshop_u:object_r:secret_t";
const CONTAINER: &str = "workshop_u:workshop_r:container_t";
const RIGID: &str = "workshop_u:workshop_r:rigid_t";

/// A folder with a file that containers are not to touch, and one that they
/// may.
fn labelled() -> Folder {
    let folder = Folder::new();
    fs::write(folder.join("secret"), "gold\n").expect("write a file");
    fs::write(folder.join("plain"), "plain\n").expect("write a file");
    let file = folder.text("secret");
    let status = witness::command("chcon").args([SECRET, &file]).status();
    assert!(status.expect("start chcon").success());
    folder
}

#[test]
#[ignore = "needs SELinux: scripts/test runs it in the VM"]
fn selinux_denies_what_all_else_allows() {
    let _machine = Machine::new();
    if selinux::load_policy().is_none() {
        return;
    }
    selinux::enforce(true);
    let folder = labelled();
    let volume = format!("{}:/mnt", folder.path().display());
    let look = |label: &[&str], file: &str| {
        let flags = [&["--volume", &volume][..], label].concat();
        step10(&flags, &format!("cat /mnt/{file}"))
    };
    let label = ["--selinux-label", CONTAINER];
    let report = look(&label, "secret");
    assert_eq!((report.status, &*report.stdout), (1, ""));
    assert!(report.stderr.contains("Permission denied"), "{report:?}");
    assert_eq!(look(&label, "plain").stdout, "plain\n", "the control");
    assert_eq!(look(&[], "secret").stdout, "gold\n", "the control");
    selinux::enforce(false);
    assert_eq!(look(&label, "secret").stdout, "gold\n", "only reported");
}

#[test]
#[ignore = "needs SELinux: scripts/test runs it in the VM"]
fn selinux_is_read_back_and_asks_no_new_privs() {
    let _machine = Machine::new();
    if selinux::load_policy().is_none() {
        return;
    }
    selinux::enforce(true);
    let flags = [&NONE[..], &["--selinux-label", CONTAINER]].concat();
    let process = start(STEP10, &flags, "");
    let label = process.read("attr/current");
    assert_eq!(label.trim_end_matches('\0'), CONTAINER);
    assert_eq!(process.status("NoNewPrivs"), "1");
    let ledger = process.end().stderr;
    assert!(ledger.contains(CONTAINER), "{ledger}");
    // A policy that says nothing of no_new_privs refuses the change.
    let rigid = ["--selinux-label", RIGID];
    let report = step10(&rigid, "true");
    assert_eq!(report.status, 126, "{}", report.stderr);
    let free = [&rigid[..], &["--new-privs"]].concat();
    assert_eq!(step10(&free, "true").status, 0, "the control");
    let report = step10(&["--selinux-label", "a:b:c"], "true");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("USER:ROLE:TYPE"), "{report:?}");
    selinux::enforce(false);
}
