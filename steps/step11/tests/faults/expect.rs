//! What must be true after a fault, and the exceptions.

use std::collections::BTreeSet;

use nix::errno::Errno;

use crate::inject::{Fault, Outcome};
use crate::lab::Lab;
use crate::listing::{Role, plain};
use crate::point::Point;

/// A call whose failure need not stop the set-up: its name (empty for any),
/// what its arguments hold, and why the set-up may go on.
type Exception = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const HARMLESS: &[Exception] = &[
    ("copy_file_range", "", "the standard library copies in another way"),
    ("mkdir", "EEXIST", "it is there already, whatever the answer"),
    ("mkdir", "\"/tmp/merged/", "the image has it already, as above"),
    ("openat", "\".\", O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY", "others sweep as well"),
    ("fcntl", "</run/workshop>, F_SETFD", "others sweep as well"),
    ("openat", "\"/run\", O_RDONLY", "others sweep as well"),
    ("openat", "\"workshop\", O_RDONLY|O_NOFOLLOW", "others sweep as well"),
    ("openat", "/cgroup\", O_RDONLY", "what is not known to be paused is entered"),
    ("read", "/cgroup>", "what is not known to be paused is entered"),
    ("openat", "/cgroup.freeze", "what is not known to be paused is entered"),
    ("read", "/cgroup.freeze>", "what is not known to be paused is entered"),
    ("faccessat2", "AT_EACCESS", "a stream stays as the caller has it"),
    ("getsid", "", "it starts a session then, as it should"),
    ("unlinkat", "\".records\", 0", "the next one of that name removes it"),
    ("unlinkat", "\".forward-", "the next one of that name removes it"),
    ("unlinkat", "\"workshop\", AT_REMOVEDIR", "the next one removes it"),
    ("faccessat2", "", "a stream that nothing is known of stays as it is"),
    ("", "/etc/resolv.conf", "the container has no name server then"),
    ("openat", "/self/setgroups", "setgroups is tried, and may be refused"),
    ("read", "/setgroups>", "setgroups is tried, and may be refused"),
    ("openat", "/self/gid_map", "terminals belong to the user's group then"),
    ("read", "/gid_map>", "terminals belong to the user's group then"),
    ("poll", "[pidfd]>, events=POLLIN}], 1, 0)", "what is gone is not entered"),
    ("poll", "[pidfd]>, events=POLLIN}], 1, {tv_sec=0, tv_nsec=0}", "the same"),
    ("pidfd_send_signal", "SIGKILL", "a helper ends with its launcher"),
    ("waitid", "P_PIDFD", "the same; the machine's init waits for it"),
    // The ledger is for people: what cannot be told is left out.
    ("write", "step11: process", "nobody reads the ledger"),
    ("", "/attr/", "no label is told"),
    ("", "/status", "no name, or no owner outside, is told"),
    ("openat", "/root\", O_RDONLY|O_CLOEXEC|O_PATH", "of its mounts the lowest is its root"),
    ("", "/fdinfo/", "of its mounts the lowest is its root"),
    ("", "/comm", "who has no name carries no packets"),
    ("openat", "\"restarts\"", "a number that people read"),
    ("", "/etc/passwd", "a user without a name is told by number"),
    ("socket", "SIOCGIFINDEX", "the C library takes a socket of another kind"),
    ("ioctl", "SIOCGIFINDEX", "a name that is in use is refused later"),
];

/// Failures whose message need not have the kernel's words.
const TOLD: &[Exception] = &[
    ("write", "<pipe:", "the launcher gets no message, and says so"),
    ("openat", "/stat\"", "a process without a start is another one"),
    ("read", "/stat>", "a process without a start is another one"),
];

/// What is left to the next command, although no process was killed.
const LEFT_TO_SWEEP: &[Exception] = &[
    // Who has not got a lock must not remove its file.
    ("flock", "</run/workshop/.", "an empty file"),
    ("openat", "\"workshop\", O_RDONLY|O_NOFOLLOW", "an empty folder"),
    ("openat", "\".records\"", "an empty folder"),
];

fn find<'a>(list: &'a [Exception], point: &Point) -> Option<&'a Exception> {
    list.iter().find(|(name, text, _)| {
        let is_call = name.is_empty() || *name == plain(&point.call.name);
        is_call && point.call.text.contains(text)
    })
}

/// Is everything as it must be?
pub fn check(
    point: &Point,
    fault: Fault,
    outcome: &Outcome,
    lab: &Lab,
    known: &BTreeSet<String>,
) -> Result<(), String> {
    let mut left = lab.leftovers(known);
    // With --detach, the guardians meet the same fault.
    let may_be_swept = fault == Fault::Kill
        || point.case == "detached"
        || find(LEFT_TO_SWEEP, point).is_some();
    if !left.is_empty() && may_be_swept {
        lab.sweep();
        left = lab.leftovers(known);
    }
    match left.is_empty() {
        false => Err(format!("left behind: {left:?}")),
        true => of_ending(point, fault, outcome),
    }
}

/// Has it ended as it must?
pub fn of_ending(
    point: &Point,
    fault: Fault,
    outcome: &Outcome,
) -> Result<(), String> {
    let Some(status) = outcome.status else {
        return Err("it did not end in time".into());
    };
    if !outcome.is_met {
        return Err("the point was never reached".into());
    }
    match (fault, point.call.role) {
        (Fault::Kill, Role::Launcher) if status == 137 => return Ok(()),
        (Fault::Error, _)
            if status == 0 && find(HARMLESS, point).is_some() =>
        {
            return Ok(());
        }
        // The command's own status, as far as anybody can see.
        (Fault::Kill, Role::Container) if point.call.is_free => {
            return match status {
                125 | 137 => Ok(()),
                _ => Err(format!("status {status}")),
            };
        }
        // The launcher of a detached one reads its message and prints it with
        // these calls.
        (Fault::Kill, _) if point.case == "detached" && status == 137 => {
            return match &*point.call.name {
                "read" | "write" => Ok(()),
                _ => Err("status 137".into()),
            };
        }
        // The same as env(1) has for a program that cannot be executed.
        (Fault::Error, _) if point.call.name == "execve" && status == 126 => {}
        _ if status != 125 => return Err(format!("status {status}")),
        _ => {}
    }
    let message = message(&outcome.stderr)?;
    match fault {
        Fault::Error if find(TOLD, point).is_some() => {
            names_something(message)
        }
        Fault::Error => tells(message, point.errno()),
        Fault::Kill => names_something(message),
    }
}

/// What step11 has to say for itself.
fn message(stderr: &str) -> Result<&str, String> {
    if stderr.contains("panicked") {
        return Err("it panicked".into());
    }
    let lines = stderr.lines();
    let mut lines = lines.filter_map(|line| line.strip_prefix("step11: "));
    // The ledger's first line begins in the same way.
    let message = lines.find(|l| !l.contains(" of this machine's kernel"));
    message.ok_or("there is no message".into())
}

/// A verb and its object, then the kernel's answer.
fn tells(message: &str, errno: Errno) -> Result<(), String> {
    // nix and the standard library have their own words for some.
    let libc = std::io::Error::from_raw_os_error(errno as i32).to_string();
    let libc = libc.split(" (os").next().unwrap_or_default();
    let answers = [errno.desc(), libc];
    let place = answers.iter().find_map(|answer| message.find(answer));
    let place = place.ok_or("it does not tell the kernel's answer")?;
    names_something(&message[..place])
}

fn names_something(message: &str) -> Result<(), String> {
    match message.trim_end().contains(' ') {
        true => Ok(()),
        false => Err("it does not tell what was attempted".into()),
    }
}

/// Would a bad message be found, and is a call known by its other names?
pub fn control() {
    for (name, other) in [("newfstatat", "fstat"), ("mkdirat", "mkdir")] {
        assert_eq!(plain(name), plain(other));
    }
    assert_ne!(plain("mount"), plain("umount2"));
    let check =
        |stderr: &str| message(stderr).and_then(|m| tells(m, Errno::EIO));
    assert_eq!(check("step11: read the map of x: EIO: I/O error"), Ok(()));
    for bad in [
        "",
        "step11: ",
        "step11: Input/output error (os error 5)",
        "step11: EIO: I/O error",
        "step11: read the map of x",
        "step11: read the map of x: EPERM: Operation not permitted",
        "step11: read the map of x: I/O error\nthread 'main' panicked at",
    ] {
        assert!(check(bad).is_err(), "{bad:?} was found good");
    }
}
