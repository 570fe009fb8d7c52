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
        for name in fs::read_to_string(root).unwrap_or_default().split(' ') {
            found.insert(format!("controller {}", name.trim_end()));
        }
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
}
