//! The powers of root, one by one: names, and sets of them.

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

/// Every capability that Linux has, at the place of its number:
/// capabilities(7), <linux/capability.h>. They are the same on every
/// architecture.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What Docker leaves to a container: to be root among its own files, users
/// and ports. What concerns the machine is not among them.
pub const DEFAULT: &str = "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL \
    MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";

/// A set of capabilities: bit N stands for the one with number N.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Set(pub u64);

/// A name, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(Set);

impl Wanted {
    /// What ALL stands for.
    pub const ALL: Wanted = Wanted(Set::ALL);
}

impl Set {
    /// None.
    pub const NONE: Set = Set(0);
    /// All of them.
    pub const ALL: Set = Set((1 << NAMES.len()) - 1);

    /// What the flags ask for: [`DEFAULT`], without those that are to be
    /// dropped, and with those that are to be added. ALL comes before names.
    pub fn choose(add: &[Wanted], drop: &[Wanted]) -> Set {
        let has_all = |list: &[Wanted]| list.contains(&Wanted::ALL);
        let named = |list: &[Wanted]| {
            let names = list.iter().filter(|wanted| wanted.0 != Set::ALL);
            names.fold(Set::NONE, |set, wanted| set | wanted.0)
        };
        let start = match (has_all(add), has_all(drop)) {
            (true, _) => Set::ALL,
            (false, true) => Set::NONE,
            (false, false) => Set::parse(DEFAULT),
        };
        (start & !named(drop)) | named(add)
    }

    /// A set of names with spaces between them; what is none, is left out.
    fn parse(names: &str) -> Set {
        let names = names.split_whitespace().filter_map(Set::of);
        names.fold(Set::NONE, BitOr::bitor)
    }

    /// The one of this name, in capital letters and without CAP_.
    pub fn of(name: &str) -> Option<Set> {
        let number = NAMES.iter().position(|known| *known == name)?;
        Some(Set(1 << number))
    }

    /// Is the capability with this number in it?
    pub fn has(self, number: u32) -> bool {
        self.0 & (1 << number) != 0
    }

    /// The numbers of its members, lowest first.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |&number| self.has(number))
    }
}

/// Reads a name, as `net_raw` or `CAP_NET_RAW`, or `all`.
///
/// # Errors
/// Anything else, with the place where the names stand.
pub fn parse(text: &str) -> Result<Wanted, String> {
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let set = match name {
        "ALL" => Some(Set::ALL),
        _ => Set::of(name),
    };
    set.map(Wanted).ok_or("no capability; see capabilities(7)".into())
}

/// The names, in small letters, as the ledger shows them.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |number: u32| match NAMES.get(number as usize) {
            Some(name) => name.to_lowercase(),
            // A kernel that is newer than this list.
            None => number.to_string(),
        };
        let names: Vec<String> = self.numbers().map(name).collect();
        f.write_str(&names.join(" "))
    }
}

impl BitOr for Set {
    type Output = Set;
    fn bitor(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }
}

impl BitAnd for Set {
    type Output = Set;
    fn bitand(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }
}

impl Not for Set {
    type Output = Set;
    fn not(self) -> Set {
        Set(!self.0)
    }
}
