//! The bounding set, on this kernel and on such as it seems to be.

use std::fs;

use super::*;

/// What is left where nothing was asked for.
pub fn default() -> Set {
    Set::choose(&[], &[])
}

/// Is this its bounding set? If not, what is in it tells how it came about.
pub fn same(
    attempt: &mut Attempt,
    what: &str,
    pid: i32,
    kept: Set,
) -> Result<()> {
    let mask = |set: Set| format!("{:016x}", set.0);
    let found = outside::status(pid, "CapBnd");
    let set = Set(u64::from_str_radix(&found, 16).unwrap_or(0));
    let mistake = mistake(set, kept, all());
    attempt.same(what, found, mask(kept), &mistake)
}

/// All that a new user namespace gives to the first process in it.
fn all() -> Set {
    Set(u64::MAX >> (63 - last().min(63)))
}

/// The last capability of this kernel.
fn last() -> u32 {
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap");
    last.unwrap_or_default().trim().parse().unwrap_or(40)
}

fn mistake(found: Set, kept: Set, all: Set) -> String {
    let extra = Set(found.0 & !kept.0);
    let missing = Set(kept.0 & all.0 & !found.0);
    if found.0 & all.0 == all.0 {
        return "`limit_bounding` leaves it whole: ask for each number, and \
                drop it unless `kept` has it. capset(2) does not reach this \
                set"
        .into();
    }
    if missing != Set::NONE && extra == Set(all.0 & !kept.0) {
        return "`limit_bounding` takes out what `kept` has, and leaves the \
                rest: it is to be the other way round"
            .into();
    }
    if missing != Set::NONE {
        return format!(
            "`limit_bounding` takes out {missing}, too: what `kept` has is to \
             stay"
        );
    }
    format!(
        "`limit_bounding` leaves {extra}. Does it ask for every number, from \
         0 to the first that is EINVAL, and drop the very one that it has \
         asked for?"
    )
}

/// What a bounding set of another kind would show.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let flags = [FLAGS, &["--cap-drop", "all"]].concat();
    if let Some(running) = attempt.start(&flags, "", CAUSES)? {
        let what = "with --cap-drop all its bounding set is empty";
        same(attempt, what, running.pid, Set::NONE)?;
    }
    hole(attempt)?;
    shorter(attempt)?;
    unasked(attempt)
}

/// LINUX_IMMUTABLE seems to have been dropped long ago.
fn hole(attempt: &mut Attempt) -> Result<()> {
    const HOLE: u32 = 9;
    let arguments = &[(0, libc::PR_CAPBSET_READ as u32), (1, HOLE)];
    let errno = Errno::UnknownErrno;
    let script = "echo begun; cat >/dev/null";
    let mut command = attempt.command(FLAGS, script);
    let call = SYS_prctl;
    refuse(&mut command, &[Refused { call, arguments, errno }]);
    let what = "it starts where one of them was dropped before";
    let started = attempt.start_command(what, command, CAUSES)?;
    let Some(running) = started else { return Ok(()) };
    let found = outside::status(running.pid, "CapBnd");
    let set = u64::from_str_radix(&found, 16).unwrap_or(u64::MAX);
    attempt.same(
        "and those after it are dropped as well",
        Set(set & !(1 << HOLE)),
        default(),
        "`limit_bounding` stops at the first number that is not in the set: \
         it has to go on with the next. Only EINVAL is the end",
    )
}

/// A kernel whose last capability is the one before ours.
fn shorter(attempt: &mut Attempt) -> Result<()> {
    let errno = Errno::EINVAL;
    let of = |operation: i32| [(0, operation as u32), (1, last())];
    let [read, drop] = [libc::PR_CAPBSET_READ, libc::PR_CAPBSET_DROP].map(of);
    let refused = [&read, &drop].map(|arguments| Refused {
        call: SYS_prctl,
        arguments,
        errno,
    });
    let report = attempt.run_refused(FLAGS, "true", &refused)?;
    attempt.ended(
        "it starts on a kernel that has one capability less",
        &report,
        0,
        &[],
        "`limit_bounding` has the number of capabilities written down: each \
         kernel has its own last one, and EINVAL of `bounding_has` is the end",
    )
}

/// A kernel that does not tell. Who does not ask needs no answer: the set that
/// comes out shows it.
fn unasked(attempt: &mut Attempt) -> Result<()> {
    let arguments = &[(0, libc::PR_CAPBSET_READ as u32)];
    let refused = Refused { call: SYS_prctl, arguments, errno: Errno::EPERM };
    let script = "grep CapBnd /proc/self/status";
    let report = attempt.run_refused(FLAGS, script, &[refused])?;
    let has_run = !report.stdout.is_empty();
    let is_right = report.stdout.contains(&format!("{:016x}", default().0));
    attempt.found(
        "when the kernel will not be asked about the set, nothing runs",
        !has_run && report.status.is_some_and(|it| it != 0) || is_right,
        format!("it ran all the same: {}", report.stdout),
        "an error of the launcher's",
        "`limit_bounding` takes every error for the end: only EINVAL of \
         `bounding_has` is that, any other is one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_set_tells_the_mistake() {
        let (kept, all) = (Set(0b0110), Set(0b1111));
        for (found, words) in [
            (0b1111, "leaves it whole"),
            (0b1001, "the other way round"),
            (0b0010, "takes out"),
            (0b0111, "Does it ask for every number"),
        ] {
            let said = mistake(Set(found), kept, all);
            assert!(said.contains(words), "{found:b}: {said}");
        }
    }
}
