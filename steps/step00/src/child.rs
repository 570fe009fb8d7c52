//! A process that has been made: its end, and signals to it.
//!
//! Not promised: that the process's own children die with the launcher. Only a
//! PID namespace (step02) ties them together.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::Pid;

/// A process that [`fork`](crate::process::fork) made.
#[derive(Debug)]
pub struct Process {
    /// Its number as the launcher's PID namespace counts.
    pub pid: Pid,
    /// A descriptor that means this process and no later one with the same
    /// number (pidfd_open(2)).
    pub pidfd: OwnedFd,
}

/// What clone3(2) is told, `struct clone_args` of linux/sched.h: eleven numbers
/// of 64 bits on every processor, which hold pointers too. libc has it only
/// where these have 64 bits themselves.
#[repr(C)]
#[derive(Debug)]
pub struct CloneArgs {
    /// `CLONE_*`.
    pub flags: u64,
    /// Where a descriptor of the new process is written.
    pub pidfd: u64,
    /// Where its number is written in its own memory.
    pub child_tid: u64,
    /// And where in the caller's.
    pub parent_tid: u64,
    /// The signal to the parent when it ends.
    pub exit_signal: u64,
    /// Its stack, from the lowest address on; 0: a copy of the caller's.
    pub stack: u64,
    /// And the length of that in bytes.
    pub stack_size: u64,
    /// Its thread-local storage.
    pub tls: u64,
    /// Where the numbers are that it is to get.
    pub set_tid: u64,
    /// And how many these are.
    pub set_tid_size: u64,
    /// A descriptor of the cgroup that it is born in.
    pub cgroup: u64,
}

// CLONE_ARGS_SIZE_VER2 of linux/sched.h.
const _: () = assert!(size_of::<CloneArgs>() == 88);

impl Process {
    /// Waits until it has ended, and drops its status: for clean-up, which
    /// works even while [`wait`](crate::process::wait) is not written yet.
    pub(crate) fn bury(&self) {
        let pidfd = self.pidfd.as_raw_fd() as libc::id_t;
        while reap(libc::P_PIDFD, pidfd, 0) == Err(Errno::EINTR) {}
    }

    /// Kills it, and waits until it is gone. If it cannot be killed now
    /// (EPERM, after a change of user), it ends with its launcher
    /// (PR_SET_PDEATHSIG).
    pub(crate) fn kill(&self) {
        // ESRCH: it has been buried already. A zombie still takes signals.
        if signal(self, libc::SIGKILL).is_ok() {
            self.bury();
        }
    }
}

/// For where clone3(2) is answered with ENOSYS: the older call, clone(2), as a
/// C library falls back to it. That answer comes from a filter (seccomp(2)),
/// which can look at numbers but not into the struct that clone3 takes.
///
/// # Errors
/// Any other `answer` of clone3's as it is, and then that of clone(2).
pub fn fork_by_clone(answer: Errno) -> nix::Result<Option<Process>> {
    if answer != Errno::ENOSYS {
        return Err(answer);
    }
    let flags = libc::CLONE_PIDFD | libc::SIGCHLD;
    let (no_stack, mut pidfd): (libc::c_long, i32) = (0, -1);
    // SAFETY: as in `fork`: no CLONE_VM, so the child has a copy of this
    // memory. `pidfd` lives until the call returns.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(flags),
            no_stack,
            &raw mut pidfd,
            0,
            0,
        )
    };
    Ok(match Errno::result(pid)? {
        0 => None,
        pid => Some(Process {
            pid: Pid::from_raw(pid as i32),
            // SAFETY: the call succeeded, so the kernel has put a new
            // descriptor here that nobody else owns.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    })
}

/// A process that is needed for a moment: it is killed when this is dropped.
#[derive(Debug)]
pub struct Doomed(pub Process);

impl Drop for Doomed {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It called exit(2) with this status.
    Exited(u8),
    /// This signal killed it.
    Killed(i32),
}

impl Ending {
    /// The status by which a shell tells both apart: its own, or 128+N.
    pub fn status(self) -> u8 {
        match self {
            Ending::Exited(status) => status,
            Ending::Killed(signal) => 128 + signal as u8,
        }
    }
}

/// Takes the status of a child that has ended: waitid(2). `kind` and `id` say
/// which child; with WNOHANG in `flags`, `None` means that none has ended yet.
///
/// # Errors
/// ECHILD when there is no such child, EINTR when a signal came first.
pub fn reap(
    kind: libc::idtype_t,
    id: libc::id_t,
    flags: i32,
) -> nix::Result<Option<(Pid, Ending)>> {
    // SAFETY: a siginfo_t is plain integers, for which zero is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: waitid writes one siginfo_t. (nix's waitid takes the status and
    // then fails if it was a real-time signal, which it has no name for.)
    let answer =
        unsafe { libc::waitid(kind, id, &mut info, flags | libc::WEXITED) };
    Errno::result(answer)?;
    // SAFETY: waitid has filled in these two, or left them zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let ending = match info.si_code {
        libc::CLD_EXITED => Ending::Exited(status as u8),
        _ => Ending::Killed(status),
    };
    Ok((pid != 0).then(|| (Pid::from_raw(pid), ending)))
}

/// The si_code of a signal that the kernel itself has sent, as for Ctrl-C
/// (sigaction(2)). libc has no name for it.
pub const SI_KERNEL: i32 = 0x80;

/// Sends a signal to exactly this process: pidfd_send_signal(2).
///
/// # Errors
/// ESRCH when it has ended, EPERM when it belongs to another user.
pub fn signal(process: &Process, signal: i32) -> io::Result<()> {
    let pidfd = process.pidfd.as_raw_fd();
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open as long as `process` lives; a null
    // siginfo asks the kernel to fill it in as kill(2) does.
    let answer = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, info, 0)
    };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Closes every descriptor but stdin, stdout, stderr and those in `kept`.
///
/// For a process that only waits from now on: a pipe's writing end, a lock or
/// a mount lives as long as a descriptor for it is open. No owner of a closed
/// descriptor may be used or dropped afterwards.
///
/// # Errors
/// ENOSYS before Linux 5.9.
pub fn close_all_but(kept: &[Option<RawFd>]) -> nix::Result<()> {
    let mut kept: Vec<u32> =
        kept.iter().flatten().map(|&fd| fd as u32).collect();
    kept.sort_unstable();
    kept.push(u32::MAX);
    let mut first = 3;
    for next in kept {
        if first < next {
            // SAFETY: close_range takes no pointer; see above for the owners.
            let answer = unsafe { libc::close_range(first, next - 1, 0) };
            Errno::result(answer)?;
        }
        first = first.max(next.saturating_add(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use witness::within;

    use super::*;

    /// A child that ends with status 7, or waits to be killed. Between fork
    /// and its end it makes system calls and nothing else.
    fn child(waits: bool) -> Process {
        let made = fork_by_clone(Errno::ENOSYS).expect("make a process");
        made.unwrap_or_else(|| {
            // SAFETY: neither takes a pointer.
            unsafe {
                if waits {
                    libc::pause();
                }
                libc::_exit(7)
            }
        })
    }

    fn reap_it(
        process: &Process,
        flags: i32,
    ) -> nix::Result<Option<(Pid, Ending)>> {
        let pidfd = process.pidfd.as_raw_fd() as libc::id_t;
        within("its end", || reap(libc::P_PIDFD, pidfd, flags))
    }

    #[test]
    fn a_status_is_taken_once_and_means_exit_or_signal() {
        let exits = child(false);
        let end = Some((exits.pid, Ending::Exited(7)));
        assert_eq!(reap_it(&exits, 0), Ok(end));
        assert_eq!(reap_it(&exits, 0), Err(Errno::ECHILD));
        let waits = child(true);
        assert_eq!(reap_it(&waits, libc::WNOHANG), Ok(None));
        signal(&waits, libc::SIGTERM).expect("send it");
        let end = Some((waits.pid, Ending::Killed(libc::SIGTERM)));
        assert_eq!(reap_it(&waits, 0), Ok(end));
        let error = signal(&waits, libc::SIGTERM).expect_err("it has ended");
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
        assert_eq!(Ending::Exited(7).status(), 7);
        assert_eq!(Ending::Killed(9).status(), 137);
    }

    #[test]
    fn who_is_killed_is_buried_as_well() {
        let waits = child(true);
        waits.kill();
        assert_eq!(reap_it(&waits, libc::WNOHANG), Err(Errno::ECHILD));
        // Once more does no harm, nor for one that has ended by itself.
        waits.kill();
        let exits = child(false);
        within("its end", || exits.bury());
        assert_eq!(reap_it(&exits, libc::WNOHANG), Err(Errno::ECHILD));
        let doomed = Doomed(child(true));
        let pid = doomed.0.pid.as_raw();
        assert!(!witness::process::is_gone(pid), "the control");
        drop(doomed);
        assert!(witness::process::is_gone(pid));
    }

    #[test]
    fn only_enosys_has_the_older_call_made() {
        for answer in [Errno::EPERM, Errno::EAGAIN] {
            let made = fork_by_clone(answer).map(|it| it.is_some());
            assert_eq!(made, Err(answer));
        }
    }

    #[test]
    fn what_is_not_kept_is_closed() {
        let kept = |kept: &'static [Option<RawFd>]| {
            let script = "for fd in 3 4 5 6 7 8; do
                test ! -e /proc/$$/fd/$fd || printf $fd; done";
            let mut shell = witness::command("sh");
            shell.args(["-c", script]);
            let open_and_close = move || {
                for fd in 3..=8 {
                    // SAFETY: dup2 takes numbers; the numbers are the child's.
                    Errno::result(unsafe { libc::dup2(2, fd) })?;
                }
                Ok(close_all_but(kept)?)
            };
            // SAFETY: between fork and exec these are system calls, and an
            // allocation, which the C library allows after its own fork.
            unsafe { shell.pre_exec(open_and_close) };
            let output = witness::output(&mut shell);
            String::from_utf8(output.stdout).expect("numbers")
        };
        assert_eq!(kept(&[]), "");
        assert_eq!(kept(&[None]), "");
        assert_eq!(kept(&[Some(5), None, Some(3)]), "35");
        assert_eq!(kept(&[Some(4), Some(5), Some(8)]), "458");
    }
}
