//! step10: giving root's powers away.

use anyhow::Result;
use libc::{SYS_capset, SYS_prctl};
use nix::errno::Errno;
use step10::capabilities::Set;

use super::refuse::{Refused, refuse};
use super::{Attempt, Causes, outside};

mod bounding;

const FLAGS: &[&str] = &["--network", "none"];
/// A user other than root, with two powers.
const PERSON: &[&str] = &[
    "--network",
    "none",
    "--user",
    "1000",
    "--cap-add",
    "net_bind_service",
    "--cap-add",
    "kill",
];

/// net_bind_service and kill, as a mask: capability N is bit N.
const TWO: &str = "0000000000000420";
const NONE: &str = "0000000000000000";

const CAUSES: &Causes = &[
    (
        &["Invalid argument"],
        "`limit_bounding` goes past the last capability of this kernel: \
         Err(Errno::EINVAL) of `bounding_has` ends the loop, and is no error",
    ),
    (
        &["EINVAL"],
        "`limit_bounding` goes past the last capability of this kernel: \
         Err(Errno::EINVAL) of `bounding_has` ends the loop, and is no error",
    ),
    (
        &["overflow", "shift left"],
        "`limit_bounding` has a number above 63: EINVAL of `bounding_has` \
         ends the loop, and no set has more than 64",
    ),
    (
        &["shift right", "overflow"],
        "`limit_bounding` has a number above 63: EINVAL of `bounding_has` \
         ends the loop, and no set has more than 64",
    ),
    (&["overflowed its stack"], CALLS_ITSELF),
    (
        &["Operation not permitted"],
        "`set_capabilities` asks for more than there is: `capset` takes the \
         sets in the order effective, permitted, inheritable, the first two \
         are `permitted`, and only the numbers of `inherited` are made \
         ambient, after that",
    ),
];

const PERSON_CAUSES: &Causes = &[
    (&["overflowed its stack"], CALLS_ITSELF),
    (
        &["Operation not permitted"],
        "`set_capabilities`: what is to be ambient must be permitted and \
         inheritable already. capset(2) comes first, with `inherited` as its \
         third set, and then `raise_ambient`",
    ),
];

const CALLS_ITSELF: &str = "one of the functions calls itself, and never \
                            ends: cargo has warned of that, above";

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    root(attempt)?;
    bounding::look(attempt)?;
    person(attempt)?;
    errors(attempt)
}

/// Root, whom execve(2) gives what the bounding set has.
fn root(attempt: &mut Attempt) -> Result<()> {
    let command = attempt.command(FLAGS, "echo begun; cat >/dev/null");
    let what = "it starts, and executes its command";
    let started = attempt.start_watched(what, command, CAUSES, hangs_in)?;
    let Some(running) = started else { return Ok(()) };
    let field = |name| outside::status(running.pid, name);
    let kept = bounding::default();
    bounding::same(
        attempt,
        "its bounding set has 14 capabilities, and no more: CapBnd",
        running.pid,
        kept,
    )?;
    for name in ["CapInh", "CapAmb"] {
        attempt.same(
            &format!("root has nothing that is inherited: {name}"),
            field(name),
            NONE,
            "`set_capabilities`: the third set of capset(2) is `inherited`, \
             and only its numbers are made ambient",
        )?;
    }
    attempt.same(
        "execve(2) has given root what was permitted and the bounding set \
         has, whatever was effective before: CapEff",
        field("CapEff"),
        format!("{:016x}", kept.0),
        "`set_capabilities` has changed more than the sets of `capset`, or \
         has its arguments in another order: effective, permitted, \
         inheritable, and the first two are `permitted`",
    )?;
    attempt.same(
        "no_new_privs is set",
        field("NoNewPrivs"),
        1,
        "`forbid_new_privileges` must set it: a set-user-ID program would \
         give powers back",
    )
}

/// Where it is when it comes no further.
fn hangs_in(_: i32, pid: i32) -> &'static str {
    let kept = format!("{:016x}", bounding::default().0);
    match (outside::status(pid, "CapBnd"), outside::status(pid, "CapEff")) {
        (bounding, _) if bounding != kept => "limit_bounding",
        (_, effective) if effective != kept => "set_capabilities",
        _ => "forbid_new_privileges",
    }
}

/// Another user's program starts with what is ambient, and nothing else.
fn person(attempt: &mut Attempt) -> Result<()> {
    let started = attempt.start(PERSON, "", PERSON_CAUSES)?;
    let Some(running) = started else { return Ok(()) };
    let given = "`set_capabilities` has computed a set and not given it to \
                 the kernel: capset(2), with `inherited` as its third set";
    let ambient = "`set_capabilities`: another user's program starts with \
                   what is ambient. `raise_ambient` for each number of \
                   `inherited`, after capset(2)";
    for (name, mistake) in [
        ("CapInh", given),
        ("CapAmb", ambient),
        ("CapPrm", ambient),
        ("CapEff", ambient),
    ] {
        attempt.same(
            &format!("user 1000 has the two that were asked for: {name}"),
            outside::status(running.pid, name),
            TWO,
            mistake,
        )?;
    }
    Ok(())
}

/// What becomes of the kernel's answers shows where they are errors.
fn errors(attempt: &mut Attempt) -> Result<()> {
    let bounding = "`limit_bounding` takes no notice of an error of \
                    `drop_from_bounding`";
    let capabilities = "`set_capabilities` takes no notice of an error: the \
                        command would keep powers, or lack some, and nobody \
                        would know";
    let privileges = "`forbid_new_privileges` takes no notice of an error";
    let drop = [(0, libc::PR_CAPBSET_DROP as u32)];
    let raise = [(0, libc::PR_CAP_AMBIENT as u32)];
    let forbid = [(0, libc::PR_SET_NO_NEW_PRIVS as u32)];
    for (what, flags, call, arguments, mistake) in [
        ("drop a capability", FLAGS, SYS_prctl, &drop[..], bounding),
        ("take the three sets", PERSON, SYS_capset, &[], capabilities),
        ("make one ambient", PERSON, SYS_prctl, &raise, capabilities),
        ("set no_new_privs", FLAGS, SYS_prctl, &forbid, privileges),
    ] {
        let errno = Errno::EPERM;
        attempt.stops_when(
            &format!("when the kernel will not {what}, nothing runs"),
            flags,
            &[Refused { call, arguments, errno }],
            mistake,
        )?;
    }
    Ok(())
}
