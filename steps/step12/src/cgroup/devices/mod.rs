//! linux.resources.devices: which devices may be opened and made.
//!
//! A device node is a door to a driver of the kernel, and who can make one
//! can make any. So this is a list of what is allowed, all else is not.
//!
//! - [`Rule`], [`rules`] - the list, with what every container may use.
//! - `v1` - as lines of the files devices.allow and devices.deny.
//! - `program` - as a program, which the kernel asks at each open(2) and
//!   mknod(2) in the group: cgroup v2 has no file for devices.
//! - `attach` - how the program gets to the kernel.

mod attach;
mod program;
mod v1;

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::geteuid;
use step00::Proc;

use crate::config::resources::DeviceRule;

/// The right to read, to write, to make a node: the kernel's bits
/// (linux/bpf.h, BPF_DEVCG_ACC_MKNOD …).
const MKNOD: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;
const ALL: u32 = MKNOD | READ | WRITE;

/// A block or a character device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `b`
    Block,
    /// `c`
    Character,
}

/// Which devices, and what may be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    /// Both, if it is not said.
    pub(crate) kind: Option<Kind>,
    /// All, if it is not said.
    pub(crate) major: Option<u32>,
    /// All, if it is not said.
    pub(crate) minor: Option<u32>,
    /// Of [`MKNOD`], [`READ`] and [`WRITE`].
    pub(crate) access: u32,
}

/// What every container may use (config-linux.md, "Default Devices"), and
/// make: a node that it may not open is of no use to it. null, zero, full,
/// random, urandom; tty, ptmx, and all pseudo-terminals, of which console is
/// one. And net/tun, which containers have relied on for long: it takes
/// CAP_NET_ADMIN to do anything with it.
const DEFAULTS: [Rule; 11] = [
    Rule { access: MKNOD, ..character(None, None) },
    Rule { access: MKNOD, kind: Some(Kind::Block), ..character(None, None) },
    character(Some(1), Some(3)),
    character(Some(1), Some(5)),
    character(Some(1), Some(7)),
    character(Some(1), Some(8)),
    character(Some(1), Some(9)),
    character(Some(5), Some(0)),
    character(Some(5), Some(2)),
    character(Some(136), None),
    character(Some(10), Some(200)),
];

const fn character(major: Option<u32>, minor: Option<u32>) -> Rule {
    let kind = Some(Kind::Character);
    Rule { allow: true, kind, major, minor, access: ALL }
}

/// The rules of config.json, and then what every container may use. Of those
/// that match, the last one counts.
///
/// # Errors
/// What is no type, no number or no right of a device.
pub(crate) fn rules(devices: &[DeviceRule]) -> Result<Vec<Rule>> {
    let given = devices.iter().enumerate().map(|(at, device)| {
        Rule::read(device)
            .with_context(|| format!("linux.resources.devices[{at}]"))
    });
    given.chain(DEFAULTS.map(Ok)).collect()
}

/// Has the group's processes obey the rules, from now on.
///
/// # Errors
/// EPERM without the rights for it. Who has none from the start (another user
/// than root, or root of a user namespace only) has to do without, and can:
/// such a process may make no device node that works (user_namespaces(7)), and
/// open only those that the machine opens to all.
pub(crate) fn apply(group: &Path, is_v2: bool, rules: &[Rule]) -> Result<()> {
    let done = match is_v2 {
        true => attach::replace(group, program::write(rules).as_deref()),
        false => v1::write(group, rules),
    };
    match done {
        Err(_) if !is_machines_root()? => Ok(()),
        done => done.context("linux.resources.devices"),
    }
}

/// Is this process root, and not only of a user namespace?
pub(crate) fn is_machines_root() -> Result<bool> {
    Ok(geteuid().is_root() && Proc::own().uid_map()?.is_the_machines())
}

impl Rule {
    fn read(device: &DeviceRule) -> Result<Rule> {
        let kind = match device.kind.as_deref() {
            None | Some("" | "a") => None,
            Some("b") => Some(Kind::Block),
            Some("c") => Some(Kind::Character),
            Some(other) => bail!("there is no type {other:?} of devices"),
        };
        let mut access = 0;
        for letter in device.access.as_deref().unwrap_or("rwm").chars() {
            access |= match letter {
                'm' => MKNOD,
                'r' => READ,
                'w' => WRITE,
                other => bail!("{other:?} is no access to a device"),
            };
        }
        ensure!(access != 0, "the access to the device is empty");
        let major = number(device.major)?;
        let minor = number(device.minor)?;
        Ok(Rule { allow: device.allow, kind, major, minor, access })
    }

    /// Does it speak of all devices, and of all that can be done with them?
    fn is_total(&self) -> bool {
        let is_for_all =
            (self.kind, self.major, self.minor) == (None, None, None);
        is_for_all && self.access == ALL
    }
}

/// Engines write -1 for "each".
fn number(number: Option<i64>) -> Result<Option<u32>> {
    match number {
        None | Some(..0) => Ok(None),
        Some(number) => {
            let number = u32::try_from(number);
            number.map(Some).context("there is no such number of a device")
        }
    }
}

/// May everything be used? Then nothing need be looked at.
pub(crate) fn allow_all(rules: &[Rule]) -> bool {
    let last = rules.iter().rposition(|rule| rule.allow && rule.is_total());
    last.is_some_and(|at| rules[at..].iter().all(|rule| rule.allow))
}

/// As config.json and the kernel write it: `c 1:3 rwm`.
impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            None => 'a',
            Some(Kind::Block) => 'b',
            Some(Kind::Character) => 'c',
        };
        let number = |number: Option<u32>| match number {
            None => "*".to_owned(),
            Some(number) => number.to_string(),
        };
        let letters = [(READ, "r"), (WRITE, "w"), (MKNOD, "m")];
        let letters = letters.iter().filter(|(bit, _)| self.access & bit != 0);
        let access: String = letters.map(|(_, letter)| *letter).collect();
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{kind} {major}:{minor} {access}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read(json: &str) -> Result<Vec<Rule>> {
        rules(&serde_json::from_str::<Vec<_>>(json).expect("JSON"))
    }

    #[test]
    fn rules_are_read_and_defaults_come_last() {
        let json = r#"[{"allow": false, "access": "rwm"}, {"allow": true,
            "type": "b", "major": 8, "minor": -1, "access": "mr"}]"#;
        let rules = read(json).expect("read them");
        let text: Vec<_> = rules.iter().map(Rule::to_string).collect();
        assert_eq!(text[..3], ["a *:* rwm", "b 8:* rm", "c *:* m"]);
        assert_eq!(rules[2..], DEFAULTS);
        assert!(rules[0].is_total() && !rules[1].is_total());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (json, why) in [
            (r#"[{"type": "x"}]"#, "type"),
            (r#"[{}, {"access": "rx"}]"#, "devices[1]"),
            (r#"[{"access": ""}]"#, "empty"),
            (r#"[{"major": 4294967296}]"#, "number"),
        ] {
            let error = format!("{:#}", read(json).expect_err(json));
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn all_is_allowed_only_if_nothing_is_denied_after_that() {
        let all = r#"[{"allow": true, "access": "rwm"}"#;
        let is_all = |rest: &str| {
            allow_all(&read(&format!("{all}{rest}]")).expect("read them"))
        };
        assert!(is_all(""));
        assert!(!is_all(r#", {"allow": false, "type": "b"}"#));
        assert!(!allow_all(&DEFAULTS));
    }
}
