//! The machine before a trial and after it.
//!
//! A trial is contained, so nothing should differ; should it do all the same,
//! the learner hears of it. Others may change the machine meanwhile, and so
//! nothing is undone here.

use std::collections::BTreeSet;
use std::fs;

use nix::net::if_::if_nameindex;
use nix::unistd::gethostname;
use step00::proc::Proc;

use crate::text::{printable, tell};

/// What can be changed, one line for each thing there is.
pub struct Machine(BTreeSet<String>);

impl Machine {
    /// As it is now.
    pub fn look() -> Machine {
        let mut found = BTreeSet::new();
        let name = gethostname().unwrap_or_default();
        found.insert(format!("hostname {}", name.to_string_lossy()));
        for one in if_nameindex().iter().flatten() {
            let name = one.name().to_string_lossy();
            found.insert(format!("interface {name}"));
        }
        for mount in Proc::own().mounts().unwrap_or_default().iter() {
            found.insert(format!("mount {}", mount.point.display()));
        }
        let root = "/sys/fs/cgroup/cgroup.subtree_control";
        found.extend(controllers(
            &fs::read_to_string(root).unwrap_or_default(),
        ));
        Machine(found)
    }

    /// Says what is different now.
    pub fn compare(&self) {
        for line in self.differences(&Machine::look()) {
            tell(format_args!(
                "the machine has changed meanwhile: {line}\n  \
                 was it not you or another program? Please tell us of it"
            ));
        }
    }

    fn differences(&self, now: &Machine) -> Vec<String> {
        let gone = self.0.difference(&now.0).map(|one| (one, "is gone"));
        // Others mount things all the time.
        let new = now.0.difference(&self.0).map(|one| (one, "is new"));
        let new = new.filter(|(one, _)| one.starts_with("interface"));
        let said = gone.chain(new);
        said.map(|(one, how)| format!("{} {how}", printable(one))).collect()
    }
}

/// Those that the root group hands on, or none: then its file is an empty line.
fn controllers(file: &str) -> impl Iterator<Item = String> {
    file.split_whitespace().map(|name| format!("controller {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(lines: &[&str]) -> Machine {
        Machine(lines.iter().map(|&line| line.into()).collect())
    }

    #[test]
    fn what_is_lost_is_told_and_a_new_interface() {
        let before = machine(&["hostname a", "mount /x", "interface lo"]);
        let same = before.differences(&before);
        assert!(same.is_empty(), "{same:?}");
        let after = machine(&["hostname b", "interface lo", "interface box7"]);
        let said = before.differences(&after);
        let right = [
            "hostname a is gone",
            "mount /x is gone",
            "interface box7 is new",
        ];
        assert_eq!(said, right);
        let more =
            machine(&["hostname a", "mount /x", "mount /y", "interface lo"]);
        assert!(before.differences(&more).is_empty(), "others mount, too");
    }

    #[test]
    fn the_first_controller_that_is_handed_on_takes_none_away() {
        let machine = |file| Machine(controllers(file).collect());
        let before = machine("\n");
        let after = machine("cpu memory pids\n");
        assert_eq!(before.differences(&after), [""; 0]);
        // The control: one that was handed on is missed.
        let said = after.differences(&machine("cpu pids\n"));
        assert_eq!(said, ["controller memory is gone"]);
    }
}
