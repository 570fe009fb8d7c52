//! Which function of the exercise is behind the call that fails.

mod texts;

use std::path::Path;

use step03::tree::{MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE};

use self::texts::{
    ARGUMENTS, BIND, CHROOT, ENTER, NO_MOUNT, NOT_ENTERED, NOT_LAZY,
    OTHER_NAME, PIVOT, PROC, PROPAGATE, TOO_EARLY, UNBINDABLE,
};
use super::steps::{Pivot, Step};

pub(super) use self::texts::{ANOTHER, SHARED};

const PROPAGATION: u64 = MS_PRIVATE | MS_SLAVE | MS_SHARED | MS_UNBINDABLE;
const BOUND: u64 = 0x1000; // MS_BIND

/// The mistake behind the last of them, which has failed; `None`: it is none
/// of the learner's.
pub(super) fn mistake(steps: &[Step], root: &Path) -> Option<&'static str> {
    if binds_another(steps, root) {
        return Some(ANOTHER);
    }
    match steps.last()? {
        Step::Mount { target, kind, flags, .. } => {
            let is_root = Path::new(target) == root;
            mount(steps, *flags, is_root, kind, target)
        }
        Step::Pivot(_) if unmounts(steps) => Some(TOO_EARLY),
        Step::Pivot(pivot) => Some(pivot.mistake()),
        Step::Unmount { target, flags } => Some(unmount(target, *flags)),
        Step::Enter => Some(ENTER),
        Step::Chroot => Some(CHROOT),
    }
}

fn unmounts(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Unmount { .. }))
}

/// The function that is at work after these, or in which the last one of them
/// `has_failed`.
pub(super) fn function(
    steps: &[Step],
    root: &Path,
    has_failed: bool,
) -> &'static str {
    let done = steps.len() - usize::from(has_failed && !steps.is_empty());
    let has = |is_it: &dyn Fn(&str, &str, u64) -> bool| {
        steps[..done].iter().any(|step| {
            matches!(step, Step::Mount { target, kind, flags, .. }
                if is_it(target, kind, *flags))
        })
    };
    if !has(&|_, _, flags| flags & PROPAGATION != 0) {
        "make_private"
    } else if !has(&|target, _, _| Path::new(target) == root) {
        "bind_onto_itself"
    } else if !has(&|_, kind, _| kind.starts_with("proc")) {
        "mount_proc"
    } else {
        "pivot"
    }
}

/// Was nothing at all made private when it pivoted, not even `/`?
pub(super) fn all_are_shared(steps: &[Step]) -> bool {
    steps.iter().any(|step| {
        matches!(step, Step::Pivot(pivot)
            if pivot.shared.iter().any(|point| point == "/"))
    })
}

/// A mount that was refused.
fn mount(
    steps: &[Step],
    flags: u64,
    is_root: bool,
    kind: &str,
    target: &str,
) -> Option<&'static str> {
    let is_unbindable = steps.iter().any(|step| {
        matches!(step, Step::Mount { flags, .. }
            if flags & MS_UNBINDABLE != 0)
    });
    let is_furnished = ["sysfs", "tmpfs", "devpts", "mqueue"].contains(&kind);
    match (flags & PROPAGATION != 0, is_root) {
        (_, true) if is_unbindable => Some(UNBINDABLE),
        (_, true) => Some(BIND),
        (true, _) => Some(PROPAGATE),
        _ if kind.starts_with("proc") || target.starts_with("proc") => {
            Some(PROC)
        }
        _ => match steps.len() {
            1 => Some(PROPAGATE),
            2 => Some(BIND),
            3 if !is_furnished => Some(PROC),
            _ => None,
        },
    }
}

impl Pivot {
    /// What the kernel refuses, causes before their consequences.
    fn mistake(&self) -> &'static str {
        if !self.shared.is_empty() {
            SHARED
        } else if !self.is_mount {
            NO_MOUNT
        } else if !self.is_named && !self.is_entered {
            NOT_ENTERED
        } else if !self.is_named || self.new_root != self.put_old {
            ARGUMENTS
        } else {
            PIVOT
        }
    }
}

fn unmount(target: &str, flags: u64) -> &'static str {
    match flags & libc::MNT_DETACH as u64 {
        0 => NOT_LAZY,
        _ if target == "." => TOO_EARLY,
        _ => OTHER_NAME,
    }
}

/// Was something else than the new root bound onto it?
pub(super) fn binds_another(steps: &[Step], root: &Path) -> bool {
    steps.iter().any(|step| {
        matches!(step, Step::Mount { source, target, flags, .. }
            if flags & BOUND != 0
                && Path::new(target) == root
                && Path::new(source) != root)
    })
}

/// Was anything mounted on the machine's own /proc?
pub(super) fn covers_proc(steps: &[Step]) -> bool {
    steps.iter().any(|step| {
        matches!(step, Step::Mount { target, flags, .. }
            if target == "/proc" && flags & PROPAGATION == 0)
    })
}
