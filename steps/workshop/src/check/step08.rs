//! step08: a filter for system calls.

use std::process::Command;

use anyhow::Result;
use libc::sock_filter;
use nix::errno::Errno;

use super::filter::{answer, named, of};
use super::refuse::Refused;
use super::{Attempt, Causes, outside, running};
use crate::arch;

mod listing;
mod numbers;
mod parts;

const FLAGS: &[&str] = &["--network", "none"];

/// Why there may be no program at all.
const UNBUILT: &Causes = &[
    (
        &["panicked", "too long"],
        "`range` takes two instructions, however many calls are in it: with \
         one for each call the program is too long for its jumps",
    ),
    (
        &["panicked", "bpf.rs"],
        "`default_answer`: the question comes first, then the three answers. \
         `link` (bpf.rs) has found a jump behind the answer that it leads to",
    ),
    (
        &["overflowed its stack"],
        "`range`, `architecture_check` or `default_answer` calls itself: \
         cargo has warned of that, above",
    ),
];
const UNBUILT_OTHERWISE: &str =
    "`range`, `architecture_check` or `default_answer` comes to no end";

/// The program is right, and yet the command does not start.
const CAUSES: &Causes = &[
    (
        &["Bad address"],
        "`install` gives the kernel a wrong address (EFAULT): the third \
         argument is that of the struct sock_fprog (`&raw const`), and the \
         struct has that of the first instruction (`as_ptr`)",
    ),
    (
        &["Invalid argument"],
        "`install`: the kernel finds something malformed (EINVAL). `len` \
         counts instructions, not bytes; first comes the operation \
         SECCOMP_SET_MODE_FILTER, then the flags, 0, then the address of the \
         struct sock_fprog, whose `filter` is that of the first instruction",
    ),
    (
        &["not supported"],
        "`install` asks for another operation: seccomp(2) knows \
         SECCOMP_SET_MODE_FILTER; SECCOMP_MODE_FILTER is prctl(2)'s",
    ),
    (
        &["Function not implemented"],
        "`install` makes another call: its number is libc::SYS_seccomp",
    ),
    (
        &["overflowed its stack"],
        "`install` calls itself; cargo has warned of that, above",
    ),
    (
        &[],
        "`install`: the program is right, so it is what the kernel was given \
         of it, or what was made of the kernel's answer: -1 is an error, 0 is \
         none",
    ),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    listed(attempt)?;
    let started = attempt.start(FLAGS, "", CAUSES)?;
    let Some(running) = started else { return Ok(()) };
    attempt.same(
        "the kernel filters its system calls (Seccomp: 2)",
        outside::status(running.pid, "Seccomp"),
        2,
        "`install` has built the program but never installed it: it must \
         call seccomp(2) with SECCOMP_SET_MODE_FILTER",
    )?;
    kernels_copy(attempt, &of(running.pid)?)?;
    drop(running);
    let report = attempt.run(FLAGS, "mount -t tmpfs none /mnt 2>&1")?;
    attempt.found(
        "mount(8) inside is not permitted",
        report.status != Some(0) && report.status.is_some(),
        report.ending(),
        "an error",
        "`default_answer`: what the table does not allow must be refused",
    )?;
    errors(attempt)
}

/// The program as it was built: a wrong one may let nothing run, and then
/// there is no process to ask for it.
fn listed(attempt: &mut Attempt) -> Result<()> {
    let mut command = Command::new(attempt.binary());
    command.arg("--dump-seccomp");
    let report = running::run(command)?;
    if report.status != Some(0) {
        let what = "--dump-seccomp lists the program";
        let mistake = UNBUILT_OTHERWISE;
        return attempt.ended(what, &report, 0, UNBUILT, mistake);
    }
    match listing::instructions(&report.stdout) {
        Some(program) => parts::look(attempt, &program),
        // Instructions that the rung has no name for: the kernel has them.
        None => Ok(()),
    }
}

/// What the kernel's copy of the program answers: nobody has to believe the
/// listing.
fn kernels_copy(attempt: &mut Attempt, filter: &[sock_filter]) -> Result<()> {
    let (own, other) = (arch::here()?.audit, arch::foreign());
    let mistake = "what the kernel has is not what was listed: `install` must \
                   hand on the program that it is given";
    for (what, architecture, number, expected) in [
        ("read(2) is allowed", own, libc::SYS_read, "allowed"),
        ("write(2) is allowed", own, libc::SYS_write, "allowed"),
        ("mount(2) is refused", own, libc::SYS_mount, "EPERM"),
        ("clone3(2) seems absent", own, libc::SYS_clone3, "ENOSYS"),
        ("a newer call seems absent", own, 60_000, "ENOSYS"),
        (
            "a call of another architecture kills the process",
            other,
            libc::SYS_read,
            "the process is killed",
        ),
    ] {
        let said = named(answer(filter, architecture, number as u32));
        attempt.same(what, said, expected, mistake)?;
    }
    Ok(())
}

/// What becomes of the kernel's answer shows where it is an error.
fn errors(attempt: &mut Attempt) -> Result<()> {
    let errno = Errno::EACCES;
    let refused = |call, arguments| Refused { call, arguments, errno };
    attempt.stops_when(
        "when the kernel takes no filter, the command does not run",
        FLAGS,
        &[
            refused(libc::SYS_seccomp, &[]),
            refused(libc::SYS_prctl, &[(0, libc::PR_SET_SECCOMP as u32)]),
        ],
        "`install` takes no notice of the kernel's answer: -1 is an error, \
         and without the filter the command must not run. `Errno::result` \
         makes a Result of it, for `?` or the end of the function",
    )?;
    // The flags of seccomp(2) are bits: these have one of them, or all.
    let flags: [&[(usize, u32)]; 6] =
        [&[(1, 1)], &[(1, 2)], &[(1, 4)], &[(1, 8)], &[(1, 16)], &[(1, 31)]];
    let refused = flags.map(|flag| refused(libc::SYS_seccomp, flag));
    let report = attempt.run_refused(FLAGS, "true", &refused)?;
    attempt.ended(
        "no flag of seccomp(2) is set",
        &report,
        0,
        &[],
        "`install`: the second argument is 0, no flags. Each of them asks for \
         something else (seccomp(2)), of which nothing was said",
    )
}
