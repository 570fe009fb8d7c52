//! What `attempt` starts is contained, whatever it does. Scripts stand for
//! rungs whose learner made a mistake.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use witness::{Folder, Machine, eventually, output, wait};

/// A program in place of a rung, and a folder for temporary files.
struct Rung {
    folder: Folder,
    /// A word that stands in the command line of what it leaves running.
    mark: String,
}

impl Rung {
    /// `MARK` in the script is a command that runs for long.
    fn new(script: &str) -> Rung {
        let folder = Folder::new();
        let mark = format!("10000{}", std::process::id());
        let script = script.replace("MARK", &format!("sleep {mark}"));
        let path = folder.join("rung");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("write it");
        let mode = Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).expect("make it a program");
        fs::create_dir(folder.join("tmp")).expect("make a folder");
        Rung { folder, mark }
    }

    /// `workshop attempt 0` with it.
    fn attempt(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(["attempt", "0"]).arg(self.folder.join("rung"));
        command.env("TMPDIR", self.folder.join("tmp"));
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The processes that it has left, or has just now, with their lines.
    fn running(&self) -> Vec<(Pid, String)> {
        let all = fs::read_dir("/proc").expect("a /proc").flatten();
        let lines = all.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            Some((Pid::from_raw(pid), line))
        });
        lines.filter(|(_, line)| line.contains(&*self.mark)).collect()
    }

    /// Nothing is left: no process, and no file.
    fn assert_gone(&self) {
        eventually("an end of all that it has started", || {
            self.running().is_empty()
        });
        let left = fs::read_dir(self.folder.join("tmp")).expect("list it");
        let left: Vec<_> = left.flatten().map(|e| e.file_name()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// Started, until what it starts is there.
    fn begun(&self) -> Child {
        let child = self.attempt().spawn().expect("start it");
        eventually("its process", || !self.running().is_empty());
        child
    }
}

#[test]
fn what_is_left_running_ends_with_the_trial() {
    let _machine = Machine::new();
    let rung = Rung::new("setsid MARK & MARK & exit 3");
    let said = output(&mut rung.attempt());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("status 3"), "{said}");
    rung.assert_gone();
    // The control: without the attempt they live on.
    let path = rung.folder.join("rung");
    let mut alone = Command::new(path).spawn().expect("start it");
    wait(&mut alone);
    // setsid turns into the other program, and has no line while it does.
    let line = format!("sleep\0{}\0", rung.mark);
    eventually("both of them", || {
        rung.running().iter().filter(|(_, it)| *it == line).count() == 2
    });
    for (pid, _) in rung.running() {
        kill(pid, Signal::SIGKILL).expect("end it");
    }
    rung.assert_gone();
}

#[test]
fn a_trial_that_hangs_is_waited_for_once() {
    let _machine = Machine::new();
    let rung = Rung::new("MARK");
    let mut attempt = rung.attempt();
    let said = output(attempt.args(["--patience", "1"]));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("it did not end in 1 seconds"), "{said}");
    assert_eq!(said.matches("NOT").count(), 1, "{said}");
    rung.assert_gone();
}

#[test]
fn who_interrupts_it_finds_nothing_left() {
    let _machine = Machine::new();
    let rung = Rung::new("trap '' INT TERM HUP; setsid MARK & MARK");
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut child = rung.begun();
        let pid = Pid::from_raw(child.id() as i32);
        kill(pid, signal).expect("send it");
        let status = wait(&mut child);
        assert_eq!(status.code(), Some(128 + signal as i32), "{signal}");
        rung.assert_gone();
    }
}

/// Even this ends what it has started. (It cannot remove its files then.)
#[test]
fn who_kills_it_finds_no_process_left() {
    if !geteuid().is_root() {
        return; // a user's trial is in no PID namespace
    }
    let _machine = Machine::new();
    let rung = Rung::new("setsid MARK & MARK");
    let mut child = rung.begun();
    child.kill().expect("kill it");
    wait(&mut child);
    eventually("the end of all", || rung.running().is_empty());
}

#[test]
fn a_fork_without_end_is_stopped() {
    let _machine = Machine::new();
    let script = "i=0; while [ $i -lt 1000 ]; do
        MARK & i=$((i + 1)); done; echo all; wait";
    let rung = Rung::new(script);
    let mut attempt = rung.attempt();
    let said = output(attempt.args(["--patience", "60"]));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let words = match geteuid().is_root() {
        true => "it makes processes without end",
        // The shell says so, and ends.
        false => "fork",
    };
    assert!(said.contains(words), "{said}");
    rung.assert_gone();
}

/// What a trial does to the machine, it does to its own. (Should it not, it is
/// not to be this machine: so all of it runs in namespaces of the test.)
#[test]
fn the_machine_is_as_it_was() {
    if !geteuid().is_root() {
        return; // others can do none of this
    }
    let _machine = Machine::new();
    let rung = Rung::new(
        "hostname changed; ip link add box1 type veth peer name veth1
         mount -t tmpfs none /mnt; umount -l /sys; exit 1",
    );
    let look = "hostname; ip -o link | cut -d: -f2; cut -d' ' -f5 /proc/self/mountinfo";
    let in_namespaces = |program: &str| {
        let script = format!(
            "mount --make-rshared /; {look}; echo ===; {program} >&2; {look}"
        );
        let unshare = ["--mount", "--uts", "--net", "sh", "-c", &*script];
        let said = output(
            witness::command("unshare").args(unshare).stdin(Stdio::null()),
        );
        let errors = String::from_utf8_lossy(&said.stderr).into_owned();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let (before, after) = said.split_once("===\n").expect("two looks");
        (before.to_owned(), after.to_owned(), errors)
    };
    let path = rung.folder.join("rung").display().to_string();
    let workshop = env!("CARGO_BIN_EXE_workshop");
    let (before, after, errors) =
        in_namespaces(&format!("{workshop} attempt 0 {path}"));
    assert_eq!(before, after, "{errors}");
    assert!(!errors.contains("has changed"), "{errors}");
    let (before, after, _) = in_namespaces(&path);
    let gone = "/sys\n";
    assert!(before.contains(gone) && !after.contains(gone), "the control");
    for new in ["changed\n", "box1", "/mnt\n"] {
        assert!(!before.contains(new) && after.contains(new), "{new}");
    }
}
