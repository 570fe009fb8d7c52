//! Processes of the machine: the debugger's way in, and /proc's.

use std::fs;
use std::process::{Child, Command};

use nix::errno::Errno;
use witness::{Machine, eventually, process, start};

use crate::{
    ATTEMPT, Answer, PROGRAM, UNGUARDED, VARIABLE, done, errno, inside,
    launcher, outside,
};

/// Becomes the tracer of this process, which ends with this one (ptrace(2)).
pub fn seize(pid: &str) -> Answer {
    let pid: i32 = pid.parse().expect("a number");
    // SAFETY: PTRACE_SEIZE reads no memory; both pointers are plain zeros.
    let answer = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0u64, 0u64) };
    Errno::result(answer)?;
    done()
}

/// The same with a process of one's own.
pub fn seize_child(_: &str) -> Answer {
    let mut child = Sleep::new(witness::command("sleep"));
    let answer = seize(&child.0.id().to_string());
    child.end();
    answer
}

/// Looks at the files of this process by way of its root directory.
pub fn look_at(pid: &str) -> Answer {
    fs::read_dir(format!("/proc/{pid}/root/")).map_err(errno)?;
    done()
}

/// A process that does nothing, and ends with this.
struct Sleep(Child);

impl Sleep {
    fn new(mut command: Command) -> Sleep {
        Sleep(command.arg("1000").spawn().expect("start sleep"))
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn a_process_of_the_machine_has_no_number_inside() {
    let _machine = Machine::new();
    // Inside there is the attempt and nothing else, with its threads: numbers
    // this low could mean one of those.
    let is_high = |sleep: &Sleep| sleep.0.id() > 20;
    let mut all =
        std::iter::repeat_with(|| Sleep::new(witness::command("sleep")));
    let victim = all.find(is_high).expect("a process");
    let pid = victim.0.id();
    let attempts = [format!("seize {pid}"), format!("look-at {pid}")];
    let attempts = attempts.each_ref().map(String::as_str);
    // The guard: the PID namespace. There is no flag to do without it.
    assert_eq!(inside(&UNGUARDED, &attempts), ["ESRCH", "ENOENT"]);
    assert_eq!(inside(&[], &attempts), ["ESRCH", "ENOENT"]);
    // It is not the filter: a debugger inside works.
    assert_eq!(inside(&[], &["seize-child"]), ["done"]);
    assert_eq!(outside(&attempts), ["done", "done"], "the control");
}

#[test]
fn nor_can_it_be_reached_where_it_has_one() {
    let _machine = Machine::new();
    // The guard behind the PID namespace: the user namespace. A tracer needs
    // all the powers of the process that it traces, in the user namespace of
    // that process (ptrace(2), "Ptrace access mode checking"), and root inside
    // has none in the machine's: not with every capability, not as the same
    // user.
    for flags in [&[][..], &UNGUARDED] {
        let command = launcher(flags);
        let flags: Vec<&str> = command.iter().map(String::as_str).collect();
        let attempt = ATTEMPT.join(" ");
        let script = format!(
            "read attempts; {VARIABLE}=\"$attempts\" {PROGRAM} {attempt} | \
             grep ^answer"
        );
        let mut container = start("env", &flags, &script);

        // A process of the machine's root, with the machine's mounts.
        let target = container.pid.to_string();
        let mut nsenter = witness::command("nsenter");
        nsenter.args(["--target", &target, "--pid", "sleep"]);
        let nsenter = Sleep::new(nsenter);
        let victim = child_named(&nsenter, "sleep");
        let numbers = process::status(victim, "NSpid").expect("numbers");
        let inside = numbers.split_whitespace().last().expect("a number");

        container.say(&format!("seize {inside};look-at {inside}"));
        assert_eq!(container.hear(), "answer: EPERM", "{flags:?}");
        assert_eq!(container.hear(), "answer: EACCES", "{flags:?}");
        let control = format!("look-at {victim}");
        let control = outside(&[&format!("seize {victim}"), &control]);
        assert_eq!(control, ["done", "done"], "the control");
        // With PID 1 goes whatever is in the namespace.
        container.end();
    }
}

fn child_named(parent: &Sleep, name: &str) -> i32 {
    let mut found = None;
    eventually("a process in the container's PID namespace", || {
        let mut children = process::children(parent.0.id() as i32).into_iter();
        found = children.find(|pid| process::name(*pid) == name);
        found.is_some()
    });
    found.expect("a process")
}
