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
