//! Keys that the kernel keeps: they have no namespace.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::c_long;
use nix::errno::Errno;
use witness::{Machine, Reachable};

use crate::{
    ALL_POWERS, ATTEMPT, Answer, IDENTITY, NO_FILTER, NO_MASKS, PROGRAM,
    VARIABLE, answers, container, done, errno, inside, own_program,
};

// Keyrings and operations of <linux/keyctl.h>. What is in the first keyring
// goes with the process, what is in the second with the last of its children.
const PROCESS_KEYRING: c_long = -2;
const SESSION_KEYRING: c_long = -3;
const GET_KEYRING_ID: c_long = 0;
const JOIN_SESSION_KEYRING: c_long = 1;
const SEARCH: c_long = 10;

fn keyctl(operation: c_long, arguments: [c_long; 3]) -> nix::Result<c_long> {
    let [one, two, three] = arguments;
    // SAFETY: the operations of this file take numbers, and pointers to the
    // constant strings below.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_keyctl, operation, one, two, three, 0)
    })
}

/// Makes a keyring for this process: keyctl(2).
pub fn make_keyring(_: &str) -> Answer {
    keyctl(GET_KEYRING_ID, [PROCESS_KEYRING, 1, 0])?;
    done()
}

/// Puts a key into it: add_key(2).
pub fn add(_: &str) -> Answer {
    add_to(PROCESS_KEYRING)?;
    done()
}

fn add_to(keyring: c_long) -> nix::Result<c_long> {
    let (kind, name) = (c"user".as_ptr(), c"witness".as_ptr());
    let content = b"secret";
    // SAFETY: two strings that end with 0, and a buffer with its length.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind,
            name,
            content.as_ptr(),
            content.len(),
            keyring,
        )
    })
}

/// Finds the key in the keyring that was inherited.
pub fn find(_: &str) -> Answer {
    let (kind, name) = (c"user".as_ptr(), c"witness".as_ptr());
    keyctl(SEARCH, [SESSION_KEYRING, kind as c_long, name as c_long])?;
    done()
}

/// Are there keys in /proc/keys?
pub fn list(_: &str) -> Answer {
    let keys = fs::read_to_string("/proc/keys").map_err(errno)?;
    let answer = if keys.is_empty() { "none" } else { "some" };
    Ok(answer.into())
}

#[test]
fn keys_are_out_of_reach() {
    let _machine = Machine::new();
    let attempts = ["keyring", "add-key", "list-keys"];
    let free = [&NO_FILTER[..], &NO_MASKS].concat();
    for (flags, answers) in [
        // The guards: the filter, and for the list a mask.
        (&[][..], ["EPERM", "EPERM", "none"]),
        (&ALL_POWERS, ["EPERM", "EPERM", "none"]),
        (&NO_FILTER, ["done", "done", "none"]),
        // The control.
        (&free, ["done", "done", "some"]),
    ] {
        assert_eq!(inside(flags, &attempts), answers, "{flags:?}");
    }
}

/// A command that starts with a key in a session keyring of its own.
fn with_key(program: &str) -> Command {
    let mut command = witness::command(program);
    // SAFETY: between fork and exec only two system calls are made.
    unsafe {
        command.pre_exec(|| {
            keyctl(JOIN_SESSION_KEYRING, [0; 3])?;
            add_to(SESSION_KEYRING)?;
            Ok(())
        });
    }
    command
}

#[test]
fn keys_of_the_launcher_do_not_come_along() {
    let _machine = Machine::new();
    let attempt = "find-key";
    for (flags, answer) in [
        // The guard: the filter.
        (&[][..], "EPERM"),
        // Behind it: the keyring is not the launcher's.
        (&NO_FILTER[..], "ENOKEY"),
        (&[&NO_FILTER[..], &ALL_POWERS, &IDENTITY].concat(), "ENOKEY"),
    ] {
        let mut command = with_key("env");
        command.args(container(flags, PROGRAM, &[attempt]));
        assert_eq!(answers(command, 1), [answer], "{flags:?}");
    }
    // The control: another user namespace is no obstacle.
    let mut command = with_key("unshare");
    let program = Reachable::new(&own_program());
    command.args(["--user", "--map-root-user", program.path()]);
    command.args(ATTEMPT).env(VARIABLE, attempt);
    assert_eq!(answers(command, 1), ["done"]);
}
