//! step06 and above without root: user namespaces for any user.

use super::finding::{Finding, Rungs};
use super::machine::Machine;

/// Switches that keep user namespaces for root: the name, the value that does
/// so, and the words for it.
const SWITCHES: [(&str, &str, &str); 2] = [
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "1",
        "Ubuntu's AppArmor gives an ordinary user's namespaces the profile \
         unprivileged_userns, which takes all powers away",
    ),
    (
        "kernel.unprivileged_userns_clone",
        "0",
        "Debian's switch keeps user namespaces for root",
    ),
];

const SUBJECT: &str = "rootless";

/// A note for each obstacle. With root all rungs run nevertheless.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let rungs = Rungs::from(6);
    let mut found = Vec::new();
    for (switch, closed, text) in SWITCHES {
        let path = format!("/proc/sys/{}", switch.replace('.', "/"));
        if machine.read(&path).as_deref() == Some(closed) {
            let open = if closed == "1" { 0 } else { 1 };
            let text = format!("{text}: --rootless fails, root works");
            found.push(
                Finding::note(SUBJECT, rungs, text)
                    .mend(format!("sudo sysctl -w {switch}={open}")),
            );
        }
    }
    if machine.find("newuidmap").is_none() {
        let text = "without newuidmap a rootless container has one user";
        let mend = machine.install("uidmap");
        found.push(Finding::note(SUBJECT, rungs, text).mend(mend));
    } else if !machine.is_root() && !machine.has("/etc/subuid") {
        let text = "without /etc/subuid a rootless container has one user";
        let mend = "sudo usermod --add-subuids 100000-165535 \
                    --add-subgids 100000-165535 $USER";
        found.push(Finding::note(SUBJECT, rungs, text).mend(mend));
    }
    if found.is_empty() {
        let text = "no switch keeps user namespaces from ordinary users";
        found.push(Finding::fine(SUBJECT, rungs, text));
    }
    found
}
