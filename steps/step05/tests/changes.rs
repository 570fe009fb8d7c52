//! step05: the files that it gives to a container are not listed as its
//! changes.

use witness::{Machine, run};

const STEP05: &str = env!("CARGO_BIN_EXE_step05");

fn changes(script: &str) -> String {
    let flags = ["-q", "--network", "none", "--changes", "--"];
    run(STEP05, &[&flags[..], &["sh", "-c", script]].concat()).stderr
}

#[test]
fn its_own_files_are_listed_only_when_the_container_changes_them() {
    let _machine = Machine::new();
    assert_eq!(changes("grep -q box /etc/hosts || echo missing >&2"), "");
    let both = "echo x >>/etc/hosts; rm /etc/hostname";
    let listed = "C /etc\nD /etc/hostname\nC /etc/hosts\n";
    assert_eq!(changes(both), listed, "the control");
    let again = "rm -r /etc; mkdir /etc; echo x >/etc/resolv.conf";
    let listed = changes(again);
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines.contains(&"D /etc/hosts"), "{listed}");
    assert!(lines.contains(&"C /etc/resolv.conf"), "{listed}");
}
