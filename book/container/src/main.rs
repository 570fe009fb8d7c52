//! A container in forty lines: `container FOLDER PROGRAM [ARGUMENT …]`.
//!
//! It stands alone, to be typed in one evening. What it leaves out is what the
//! rungs are for, and the book's page on it says which.

// ANCHOR: all
use std::fmt::Display;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::sys::{prctl::set_pdeathsig, signal::SIGKILL};
use nix::unistd::{ForkResult, chdir, fork, pivot_root, sethostname};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, root, program, arguments @ ..] = &words[..] else {
        end("say", "container FOLDER PROGRAM [ARGUMENT …]")
    };
    // This process has the first two from here on, its next child all three.
    let blindfolds = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS;
    done("unshare", unshare(blindfolds | CloneFlags::CLONE_NEWPID));
    // SAFETY: this program has one thread, so its copy misses none.
    if let ForkResult::Parent { child } = done("fork", unsafe { fork() }) {
        match done("wait", waitpid(child, None)) {
            WaitStatus::Exited(_, status) => exit(status),
            other => end("the container", format!("{other:?}")),
        }
    }
    // Here we are PID 1. When the launcher dies, we die, too.
    done("set_pdeathsig", set_pdeathsig(SIGKILL));
    done("sethostname", sethostname("forty"));
    move_into(root);
    end(program, Command::new(program).args(arguments).exec())
}

fn move_into(root: &str) {
    const NONE: Option<&str> = None;
    // First let go: or what is mounted here would be mounted outside, too.
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    done("make private", mount(NONE, "/", NONE, private, NONE));
    // pivot_root takes a mount; a folder that is bound onto itself is one.
    done("bind", mount(Some(root), root, NONE, MsFlags::MS_BIND, NONE));
    done("enter", chdir(root));
    let (proc, no_flags) = (Some("proc"), MsFlags::empty());
    done("mount proc", mount(proc, "proc", proc, no_flags, NONE));
    // The old root lands on top of the new one. Take it away.
    done("pivot_root", pivot_root(".", "."));
    done("unmount the old root", umount2(".", MntFlags::MNT_DETACH));
    done("enter /", chdir("/"));
}

fn done<T>(what: &str, result: nix::Result<T>) -> T {
    result.unwrap_or_else(|error| end(what, error))
}

fn end(what: &str, why: impl Display) -> ! {
    eprintln!("container: {what}: {why}");
    exit(125)
}
// ANCHOR_END: all
