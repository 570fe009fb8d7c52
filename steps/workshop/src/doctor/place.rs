//! Where am I? Container, Windows, virtual machine, or none of these.

use super::computer;
use super::container;
use super::finding::{ALL, Finding, Rungs};
use super::machine::Machine;

const SUBJECT: &str = "here";

/// One finding, and a second if the place itself is in the way.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let release = machine.release.to_lowercase();
    if release.contains("microsoft") {
        return vec![windows(machine)];
    }
    let is_docker_desktop = release.contains("linuxkit");
    let computer = match is_docker_desktop {
        true => "Docker Desktop's virtual machine (linuxkit)".into(),
        false => computer::look(machine),
    };
    if container::is_inside(machine) {
        return vec![inside(machine, &computer)];
    }
    if is_docker_desktop {
        return vec![Finding::note(SUBJECT, ALL, computer)];
    }
    // A machine may have been made from a container's image.
    let text = match container::maker(machine) {
        None => computer,
        Some(maker) => format!(
            "{computer}; files of {maker} lie here, but this is no container"
        ),
    };
    vec![Finding::fine(SUBJECT, ALL, text)]
}

/// A container in a container can work, but what it sees is what the outer one
/// leaves. The findings below tell what that is.
fn inside(machine: &Machine, computer: &str) -> Finding {
    let what = match container::maker(machine) {
        Some(maker) => format!("a container already ({maker})"),
        None => "a container already".into(),
    };
    let text = format!(
        "{what}, on {computer}: \"the machine\" of the workshop is this \
         container, and what was taken from it is missing below"
    );
    Finding::note(SUBJECT, Rungs::from(1), text)
        .mend("run the workshop on the machine itself, outside this container")
}

/// WSL1 translates system calls for Windows. WSL2 is a virtual machine, whose
/// distributions are containers in it, with all of their powers.
fn windows(machine: &Machine) -> Finding {
    // WSL1 calls itself 4.4.0-NUMBER-Microsoft, for ever.
    if machine.version() == Some((4, 4)) {
        let text = "WSL1: Windows itself answers the system calls here, there \
                    is no Linux kernel and so neither namespace nor cgroup";
        return Finding::missing(SUBJECT, ALL, text)
            .mend("wsl --set-version DISTRIBUTION 2   (in Windows)");
    }
    let inside = FILES_OF_CONTAINERS.iter().any(|file| machine.has(file));
    match (inside, container::maker(machine)) {
        (true, Some(maker)) => {
            let text = format!("a container already ({maker}), in WSL2");
            Finding::note(SUBJECT, Rungs::from(1), text)
                .mend("run the workshop in WSL2 itself, not in the container")
        }
        _ => Finding::fine(SUBJECT, ALL, "WSL2, a virtual machine of Windows"),
    }
}

/// In WSL2 every process is in namespaces, so only these tell.
const FILES_OF_CONTAINERS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
