//! Making a namespace is a privilege: who has it on this machine?

use super::container;
use super::finding::{Finding, Rungs};
use super::machine::Machine;

/// The powers that the launchers use, by number (capabilities(7)), and the
/// first rung that does.
const POWERS: [(u8, &str, u8); 5] = [
    (21, "CAP_SYS_ADMIN", 1),
    (12, "CAP_NET_ADMIN", 5),
    (6, "CAP_SETGID", 6),
    (7, "CAP_SETUID", 6),
    (8, "CAP_SETPCAP", 10),
];

/// How to become root, and how much of root's power there is.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![sudo(machine)];
    findings.extend(powers(machine));
    findings
}

fn sudo(machine: &Machine) -> Finding {
    let rungs = Rungs::from(1);
    let subject = "root";
    if machine.is_root() {
        return Finding::fine(subject, rungs, "you are root");
    }
    if machine.status("NoNewPrivs").as_deref() == Some("1") {
        let text = "sudo cannot work: this shell was started with \
                    no_new_privs, as sandboxes do";
        return Finding::missing(subject, rungs, text)
            .mend("cargo workshop doctor   (in another terminal)");
    }
    if machine.find("sudo").is_some() {
        let text = "by sudo; whether you may, only sudo knows (sudo -v asks)";
        return Finding::fine(subject, rungs, text);
    }
    let text = "no sudo, and you are not root; what goes without: \
                cargo run -p step06 -- --rootless";
    let mend = machine.install("sudo").replace("sudo apt", "apt");
    Finding::missing(subject, rungs, text).mend(match mend.contains("apt") {
        true => format!("su -c '{mend}'"),
        false => mend,
    })
}

/// Root in a container is root without its powers. What the bounding set
/// lacks, no program gives back, not even sudo.
fn powers(machine: &Machine) -> Option<Finding> {
    let set = if machine.is_root() { "CapEff" } else { "CapBnd" };
    let set = u64::from_str_radix(&machine.status(set)?, 16).ok()?;
    let lost = POWERS.iter().filter(|(bit, ..)| set & (1 << bit) == 0);
    let lost: Vec<_> = lost.collect();
    let (.., first) = lost.first()?;
    let names: Vec<&str> = lost.iter().map(|(_, name, _)| *name).collect();
    let text = format!("root here lacks {}", names.join(", "));
    let mend = container::mend(machine);
    Some(Finding::missing("powers", Rungs::from(*first), text).mend(mend))
}
