//! Every process of the machine, and which namespaces it is in.
//!
//! Ten thousand processes are a hundred thousand small reads, which take over
//! half a second. So it is done once, and only what is needed is read.

use std::collections::HashMap;

use anyhow::Result;
use nix::unistd::getpid;

use super::proc::{KINDS, Process, all};
use crate::text::printable;

/// A process, as far as the census goes.
#[derive(Debug)]
pub struct Resident {
    /// Its number.
    pub pid: i32,
    /// Its parent's number, 0 if that is not visible.
    pub parent: i32,
    /// Its name.
    pub name: String,
    /// The namespace of each of [`KINDS`]; `None`: not readable.
    pub spaces: [Option<u64>; KINDS.len()],
    /// If none is readable: those that are known not to be the reader's.
    pub betrayed: Vec<&'static str>,
}

/// All processes, and what counts as "the machine".
#[derive(Debug)]
pub struct Census {
    /// By number.
    pub residents: HashMap<i32, Resident>,
    /// The namespaces of the machine: those of process 1, or, if we may not
    /// look at that, those of the reader.
    pub machine: [Option<u64>; KINDS.len()],
    /// Is the reader in a container itself? Then that is "the machine".
    pub is_inside: bool,
}

/// The first PID namespace always has this number, and no other has it:
/// PROC_PID_INIT_INO, in the kernel's include/linux/proc_ns.h.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

impl Census {
    /// Looks at all. A process that ends in the meantime is left out.
    ///
    /// # Errors
    /// There is no /proc.
    pub fn take() -> Result<Census> {
        let found = all()?.into_iter().filter_map(Resident::look);
        let residents = found.map(|r| (r.pid, r)).collect();
        let own = spaces(&Process::open(getpid().as_raw())?);
        let is_inside = own[1].is_some_and(|pid| pid != FIRST_PID_NAMESPACE);
        let first = Process::open(1).map(|first| spaces(&first));
        let mut machine = first.unwrap_or([None; KINDS.len()]);
        for (its, own) in machine.iter_mut().zip(own) {
            *its = its.or(own);
        }
        Ok(Census { residents, machine, is_inside })
    }

    /// The names of those in the same namespace, except `pid` itself.
    #[must_use]
    pub fn others_in(&self, kind: usize, space: u64, pid: i32) -> Vec<&str> {
        let all = self.residents.values();
        let mut there: Vec<&Resident> = all
            .filter(|r| r.spaces[kind] == Some(space) && r.pid != pid)
            .collect();
        there.sort_by_key(|resident| resident.pid);
        there.iter().map(|resident| resident.name.as_str()).collect()
    }

    /// Which kinds of namespace are not the machine's; those that cannot be
    /// read do not count.
    #[must_use]
    pub fn apart(&self, resident: &Resident) -> Vec<usize> {
        let kinds = 0..KINDS.len();
        let differs = |&kind: &usize| {
            let its = resident.spaces[kind];
            its.is_some() && its != self.machine[kind]
        };
        kinds.filter(differs).collect()
    }

    /// Is it in another namespace of this kind than the machine, as far as we
    /// can tell?
    #[must_use]
    pub fn is_apart(&self, process: &Process, kind: &str) -> bool {
        let index = KINDS.iter().position(|(name, _)| *name == kind);
        let machine = index.and_then(|index| self.machine[index]);
        match process.space(kind) {
            Some(space) => machine != Some(space),
            None => process.betrays(kind) == Some(true),
        }
    }

    /// How many only root may look at.
    #[must_use]
    pub fn hidden(&self) -> usize {
        let all = self.residents.values();
        all.filter(|r| r.spaces.iter().all(Option::is_none)).count()
    }
}

impl Resident {
    fn look(pid: i32) -> Option<Resident> {
        let process = Process::open(pid).ok()?;
        let stat = process.stat().ok()?;
        if matches!(stat.state, 'Z' | 'X') {
            return None; // it is in no namespace any more
        }
        let spaces = spaces(&process);
        let mut betrayed = Vec::new();
        if spaces.iter().all(Option::is_none) {
            let kinds = KINDS.iter();
            let kinds =
                kinds.filter(|(k, _)| process.betrays(k) == Some(true));
            betrayed.extend(kinds.map(|(_, subject)| *subject));
        }
        Some(Resident {
            pid,
            parent: stat.parent,
            name: printable(&stat.name),
            spaces,
            betrayed,
        })
    }
}

fn spaces(process: &Process) -> [Option<u64>; KINDS.len()] {
    KINDS.map(|(kind, _)| process.space(kind))
}
