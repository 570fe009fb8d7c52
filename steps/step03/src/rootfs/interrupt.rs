//! Ctrl-C while a tree is being put together.
//!
//! A signal that ends a program runs no destructor, and what is half made
//! would lie there until somebody sweeps. So, for as long as a [`Removal`]
//! lives, SIGINT, SIGTERM and SIGHUP have rm(1) take the tree away first; then
//! the program dies of the signal, as whoever sent it expects.
//!
//! Not promised: SIGKILL. And what rm(1) cannot remove is left to the sweep.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction,
};

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// The words of the command that the handler runs; null while there is none.
static WORDS: AtomicPtr<*const c_char> = AtomicPtr::new(std::ptr::null_mut());

/// A tree that goes when a signal ends this program. One at a time.
#[derive(Debug)]
pub struct Removal {
    before: Vec<(Signal, SigAction)>,
    /// What [`WORDS`] points to, and what these point to.
    _words: Box<[*const c_char; 6]>,
    _path: CString,
}

impl Removal {
    /// Of the tree at `path`, until this is dropped. A signal that is ignored
    /// (`nohup`) stays so.
    #[must_use]
    pub fn of(path: &Path) -> Option<Removal> {
        // A path with a zero byte is none, and cannot be made either.
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        let mut words = Box::new([
            c"rm".as_ptr(),
            c"-rf".as_ptr(),
            c"--".as_ptr(),
            path.as_ptr(),
            null(),
            null(),
        ]);
        WORDS.store(words.as_mut_ptr(), Ordering::Release);
        let ours = SigAction::new(
            SigHandler::Handler(remove),
            SaFlags::empty(),
            SigSet::all(),
        );
        let mut before = Vec::new();
        for signal in SIGNALS {
            // SAFETY: the handler makes only calls that are allowed in one
            // (signal-safety(7)).
            let Ok(old) = (unsafe { sigaction(signal, &ours) }) else {
                continue;
            };
            before.push((signal, old));
            if matches!(old.handler(), SigHandler::SigIgn) {
                // SAFETY: it ignored the signal before.
                let _ = unsafe { sigaction(signal, &old) };
            }
        }
        Some(Removal { before, _words: words, _path: path })
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            // SAFETY: what was there before is there again.
            let _ = unsafe { sigaction(*signal, old) };
        }
        WORDS.store(std::ptr::null_mut(), Ordering::Release);
    }
}

/// All signals are blocked in here, and so they are in rm(1): a second Ctrl-C
/// does not stop it half way.
extern "C" fn remove(signal: c_int) {
    let words = WORDS.load(Ordering::Acquire);
    // SAFETY: fork, execve, waitpid, signal and raise may be called in a
    // handler, and the words live as long as this handler is in use.
    unsafe {
        if !words.is_null() {
            match libc::fork() {
                0 => {
                    libc::execv(c"/bin/rm".as_ptr(), words.cast_const());
                    libc::_exit(127);
                }
                child => {
                    libc::waitpid(child, std::ptr::null_mut(), 0);
                }
            }
        }
        // It is blocked until this returns, and ends the program then.
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};
    use std::{env, fs, thread};

    use nix::sys::signal::kill;
    use nix::unistd::Pid;
    use witness::process::has_signal;
    use witness::{Folder, eventually, wait};

    const TREE: &str = "STEP03_TREE";
    const IS_OVER: &str = "STEP03_TREE_IS_OVER";

    /// Not a test of its own: the others run it in a program of its own.
    #[test]
    fn a_program_that_waits_for_a_signal() {
        let Some(tree) = env::var_os(TREE) else { return };
        let removal = Removal::of(tree.as_ref()).expect("a path");
        if env::var_os(IS_OVER).is_some() {
            drop(removal);
        }
        fs::create_dir(&tree).expect("make the tree");
        loop {
            thread::park();
        }
    }

    /// Starts it, and waits until the tree is there.
    fn start(wrap: &str, folder: &Folder) -> Child {
        let own = env::current_exe().expect("find this program");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{wrap} exec \"$0\" \"$@\"")]);
        command.arg(own).arg("a_program_that_waits_for_a_signal");
        command.env(TREE, folder.join("tree")).stdout(Stdio::null());
        let program = command.spawn().expect("start this program");
        eventually("the tree", || folder.join("tree").exists());
        program
    }

    fn send(program: &Child, signal: Signal) {
        let pid = Pid::from_raw(program.id() as i32);
        kill(pid, signal).expect("send a signal");
    }

    /// Is the tree still there after this signal has ended the program?
    fn is_left(wrap: &str, signal: Signal) -> bool {
        let folder = Folder::new();
        let mut program = start(wrap, &folder);
        send(&program, signal);
        assert_eq!(wait(&mut program).signal(), Some(signal as i32));
        folder.join("tree").exists()
    }

    #[test]
    fn a_signal_that_ends_the_program_takes_the_tree_with_it() {
        for signal in SIGNALS {
            assert!(!is_left("", signal), "{signal}");
        }
        assert!(is_left("", Signal::SIGKILL), "the control: no time for it");
    }

    #[test]
    fn what_is_published_is_not_taken_away() {
        let is_over = format!("{IS_OVER}=yes");
        for signal in SIGNALS {
            assert!(is_left(&is_over, signal), "{signal}");
        }
        // A handler that has nothing left to do may be there no more.
        for (wrap, has_handlers) in [(&*is_over, false), ("", true)] {
            let folder = Folder::new();
            let mut program = start(wrap, &folder);
            let pid = program.id() as i32;
            let is_caught = |signal| has_signal(pid, "SigCgt", signal);
            assert_eq!(SIGNALS.map(is_caught), [has_handlers; 3], "{wrap}");
            send(&program, Signal::SIGTERM);
            wait(&mut program);
        }
    }

    /// As nohup(1) has it.
    #[test]
    fn a_signal_that_is_ignored_stays_so() {
        for (wrap, is_ignored) in [("trap '' HUP;", true), ("", false)] {
            let folder = Folder::new();
            let mut program = start(wrap, &folder);
            let pid = program.id() as i32;
            let ignores = has_signal(pid, "SigIgn", Signal::SIGHUP);
            assert_eq!(ignores, is_ignored, "{wrap}");
            send(&program, Signal::SIGTERM);
            wait(&mut program);
            assert!(!folder.join("tree").exists(), "{wrap}");
        }
    }
}
