//! step01 from outside: whose hostname is it?

use nix::unistd::gethostname;
use witness::{Machine, namespace, run, start};

const STEP01: &str = env!("CARGO_BIN_EXE_step01");
/// The control: the same command without the namespace.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

fn machines_name() -> String {
    gethostname().expect("a hostname").into_string().expect("as text")
}

#[test]
fn the_name_inside_is_not_the_machines() {
    let _machine = Machine::new();
    let before = machines_name();
    let flags = ["-q", "--hostname", "elsewhere", "--"];
    let report = run(STEP01, &[&flags[..], &["cat", HOSTNAME]].concat());
    assert_eq!(report.stdout, "elsewhere\n", "{}", report.stderr);
    assert_eq!(report.status, 0);
    assert_eq!(machines_name(), before, "the machine was renamed");
    assert_ne!(before, "elsewhere", "the control: the names differ");
}

#[test]
fn it_has_a_uts_namespace_of_its_own_and_nothing_else() {
    let _machine = Machine::new();
    let process = start(STEP01, &[], "");
    assert!(process.is_apart("uts"));
    for kind in ["pid", "mnt", "net", "user", "ipc", "cgroup"] {
        assert!(!process.is_apart(kind), "{kind} is another one, too");
    }
    // The control for is_apart: the test's own process is not apart.
    let own = std::process::id();
    assert_eq!(namespace(own, "uts"), namespace("self", "uts"));
    let report = process.end();
    assert_eq!(report.status, 0);
    let ledger = report.stderr.lines().find(|l| l.contains("hostname"));
    let ledger = ledger.expect("a line about the hostname");
    assert!(
        ledger.contains("blind") && ledger.contains("\"box\""),
        "{ledger}"
    );
}

#[test]
fn a_name_has_one_to_sixty_four_bytes() {
    let _machine = Machine::new();
    let name = |length| "n".repeat(length);
    for (name, status) in [(name(64), 0), (name(65), 2), (name(0), 2)] {
        let flags = ["-q", "--hostname", &name, "--", "cat", HOSTNAME];
        let report = run(STEP01, &flags);
        assert_eq!(report.status, status, "{} bytes", name.len());
        if status == 0 {
            assert_eq!(report.stdout.trim_end(), name);
        } else {
            assert!(report.stderr.contains("--hostname"), "{}", report.stderr);
            assert_eq!(report.stdout, "", "the command was not to run");
        }
    }
}
