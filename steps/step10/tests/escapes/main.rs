//! Known ways out of a container, tried as its root.
//!
//! An *attempt* is a function that makes the system calls and returns what the
//! kernel said. The same attempt is made in the finished container, where it
//! must fail with the very errno of the guard that is named beside it, and
//! then with that guard taken off, where either the guard behind it answers
//! (defence in depth) or the attempt succeeds. Without that control a misspelt
//! attempt would look like a container that holds.
//!
//! One guard cannot be taken off by a flag: from step06 on there is always a
//! user namespace. What only that one holds back is tried on the machine
//! itself, in mounts of the attempt's own, and such that nothing changes: a
//! setting gets the value that it has, a disk is mounted where it is already.
//!
//! No program makes these calls as they are needed, so it is this test program
//! that is started inside. `--image /` lays the container over the machine's
//! own files, so that its C library is there.

mod descriptors;
mod files;
mod groups;
mod kernel;
mod keys;
mod loose;
mod processes;
mod program;
mod races;
mod setuid;
mod terminal;
mod volumes;

use std::io;
use std::process::{Command, Stdio};

use nix::errno::Errno;

const STEP10: &str = env!("CARGO_BIN_EXE_step10");

/// Where this program is inside.
const PROGRAM: &str = "/escapes";
/// Runs [`attempt`] alone, with its output on stdout.
const ATTEMPT: [&str; 3] = ["--exact", "attempt", "--nocapture"];
/// Names the attempts that [`attempt`] is to make, with `;` between them.
const VARIABLE: &str = "ESCAPE";

// The flags that take a guard off.
const NO_FILTER: [&str; 2] = ["--seccomp", "none"];
const ALL_POWERS: [&str; 2] = ["--cap-add", "all"];
const NO_MASKS: [&str; 1] = ["--unmask"];
/// Root inside is root outside, but still in a user namespace.
const IDENTITY: [&str; 4] =
    ["--uid-map", "0:0:65536", "--gid-map", "0:0:65536"];
/// All of them at once, for what the user namespace alone holds back.
const UNGUARDED: [&str; 10] = [
    "--seccomp",
    "none",
    "--cap-add",
    "all",
    "--unmask",
    "--new-privs",
    "--uid-map",
    "0:0:65536",
    "--gid-map",
    "0:0:65536",
];

/// What an attempt has achieved, or what the kernel said.
type Answer = nix::Result<String>;

type Attempt = (&'static str, fn(&str) -> Answer);

const ATTEMPTS: &[Attempt] = &[
    ("root", files::root),
    ("chroot-twice", files::chroot_twice),
    ("make-node", files::make_node),
    ("open", files::open),
    ("mount", files::mount),
    ("rewrite", files::rewrite),
    ("seize", processes::seize),
    ("seize-child", processes::seize_child),
    ("look-at", processes::look_at),
    ("mount-groups", groups::mount_groups),
    ("set-agent", groups::set_agent),
    ("descriptors", descriptors::list),
    ("enter-leaked", descriptors::enter_leaked),
    ("program-of", program::program_of),
    ("overwrite", program::overwrite),
    ("socket", kernel::socket),
    ("keyring", keys::make_keyring),
    ("add-key", keys::add),
    ("find-key", keys::find),
    ("list-keys", keys::list),
    ("use-up-inotify", kernel::use_up_inotify),
    ("userfaultfd", kernel::userfaultfd),
    ("load-module", kernel::load_module),
    ("euid", setuid::euid),
    ("powers", setuid::powers),
    ("type", terminal::type_key),
];

/// Not a test of its own: it makes the attempts that the others ask for.
#[test]
fn attempt() {
    let Ok(wanted) = std::env::var(VARIABLE) else { return };
    for wanted in wanted.split(';') {
        let (name, argument) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let known = ATTEMPTS.iter().find(|(known, _)| *known == name);
        let (_, attempt) = known.expect("an attempt of this name");
        match attempt(argument) {
            Ok(text) => println!("\nanswer: {text}"),
            Err(errno) => println!("\nanswer: {errno:?}"),
        }
    }
}

/// Makes the attempts in one container with these flags.
fn inside(flags: &[&str], attempts: &[&str]) -> Vec<String> {
    let mut command = witness::command("env");
    command.args(container(flags, PROGRAM, attempts));
    answers(command, attempts.len())
}

/// Makes them on the machine, as real root, in mounts of their own.
fn outside(attempts: &[&str]) -> Vec<String> {
    let mut command = witness::command("unshare");
    command.arg("--mount").arg(own_program()).args(ATTEMPT);
    command.env(VARIABLE, attempts.join(";"));
    answers(command, attempts.len())
}

/// The arguments of env(1) that start a container of real root, with no person
/// behind sudo, in which `program`, a copy of this one, makes the attempts.
fn container(flags: &[&str], program: &str, attempts: &[&str]) -> Vec<String> {
    let variable = format!("{VARIABLE}={}", attempts.join(";"));
    let mut all = launcher(&[flags, &["--env", &variable]].concat());
    let command = ["--", program].into_iter().chain(ATTEMPT);
    all.extend(command.map(String::from));
    all
}

/// The same up to the command.
fn launcher(flags: &[&str]) -> Vec<String> {
    let alone = ["-u", "SUDO_UID", "-u", "SUDO_GID", STEP10, "-q"];
    let network = ["--network", "none"];
    let network = match flags.contains(&"--network") {
        true => &[][..],
        false => &network,
    };
    let volume = format!("{}:{PROGRAM}:ro", own_program());
    let image = ["--image", "/", "--volume", &volume];
    let all = [&alone[..], network, &image, flags].concat();
    all.into_iter().map(String::from).collect()
}

fn own_program() -> String {
    let path = std::env::current_exe().expect("find this program");
    path.to_str().expect("a plain path").to_owned()
}

/// Runs it to its end and takes the answers from what it has printed.
fn answers(mut command: Command, count: usize) -> Vec<String> {
    let output = command.stdin(Stdio::null()).output().expect("start it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = find_answers(&text);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(found.len(), count, "{command:?}: {text} {stderr}");
    found
}

fn find_answers(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_end);
    let answers = lines.filter_map(|line| line.strip_prefix("answer: "));
    answers.map(String::from).collect()
}

fn done() -> Answer {
    Ok("done".into())
}

/// The errno of an error of the standard library.
fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
