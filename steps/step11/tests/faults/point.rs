//! Which of the calls are tried, and the error that each gets.

use std::collections::BTreeSet;
use std::fmt;

use nix::errno::Errno;

use crate::case::Case;
use crate::listing::{Call, Role, plain};

/// A call of one process of one case, which is to go wrong.
#[derive(Debug, Clone)]
pub struct Point {
    /// The case's name.
    pub case: &'static str,
    /// The call.
    pub call: Call,
}

/// What cannot fail, or is asked by Rust and its C library for themselves.
const NO_SET_UP: &[&str] = &[
    "brk",
    "clock_nanosleep",
    "close",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "gettid",
    "getuid",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
];

impl Point {
    /// All points of a case.
    pub fn all(case: &Case) -> Vec<Point> {
        let is_set_up = |call: &&Call| {
            // Rust's own check of a descriptor that it is to close.
            let is_check =
                call.name == "fcntl" && call.text.contains("F_GETFD");
            !is_check && !NO_SET_UP.contains(&&*call.name)
        };
        let mut met = BTreeSet::new();
        // Where all processes are followed, the first of them is the one that
        // meets the fault. But a launcher *and* its guardian may not both be
        // killed: nothing is promised then. (A guardian goes on without these
        // two.)
        let is_reachable = |call: &&Call| {
            let is_for_guardian = case.is_shared(call)
                && !matches!(plain(&call.name), "dup2" | "setsid");
            // The container differs from that of `run` in its stdout only.
            let is_news = match call.role {
                Role::Container => plain(&call.name) == "dup2",
                // The launcher could not print what it hears.
                _ => call.name != "write" || call.text.contains("<pipe:"),
            };
            let key = (call.name.clone(), call.when);
            let is_first = met.insert(key);
            !case.follows || is_first && is_news && !is_for_guardian
        };
        let calls = case.calls.iter().filter(is_set_up);
        let calls = calls.filter(is_reachable);
        calls
            .map(|call| Point { case: case.name, call: call.clone() })
            .collect()
    }

    /// Is it only a question, or a call that has no way to fail?
    ///
    /// An answer that matters is read from a file (`openat`, `read`), and
    /// these are tried.
    pub fn cannot_fail(&self) -> bool {
        let Call { name, text, .. } = &self.call;
        let is = |call: &str, argument: &str| {
            name == call && text.contains(argument)
        };
        matches!(
            plain(name),
            "getdents64" | "lseek" | "stat" | "readlink" | "statfs" | "uname"
        ) || is("fcntl", "F_GET")
            || is("ioctl", "TCGETS")
            || is("prctl", "PR_CAPBSET_READ")
            // Letting go, and a mask of signals: there is nothing to refuse.
            || is("flock", "LOCK_UN")
            || is("rt_sigprocmask", "")
    }

    /// What the kernel is to answer there.
    pub fn errno(&self) -> Errno {
        match plain(&self.call.name) {
            "clone" | "clone3" => Errno::EAGAIN,
            "openat" | "openat2" | "pipe2" | "socket" | "socketpair"
            | "signalfd4" | "memfd_create" | "pidfd_open" | "dup2" => {
                Errno::EMFILE
            }
            "mkdir" | "symlink" | "write" | "rename" | "sendfile" => {
                Errno::ENOSPC
            }
            "read" | "recvfrom" | "recvmsg" => Errno::EIO,
            // EPERM would be an invitation to do some of these another way.
            "mount" | "mount_setattr" | "move_mount" | "open_tree"
            | "sendto" | "sendmsg" | "poll" | "flock" => Errno::ENOMEM,
            _ => Errno::EPERM,
        }
    }
}

/// Of each call of each process the first one, and every gate.
pub fn firsts(points: Vec<Point>) -> Vec<Point> {
    let mut met = BTreeSet::new();
    let is_gate = |call: &Call| matches!(&*call.name, "sendmsg" | "recvmsg");
    let mut is_first = |call: &Call| {
        // The second one is the same code, where both are followed.
        let role = match call.role {
            Role::Container => "inside",
            _ => "outside",
        };
        let is_new =
            met.insert((role, call.name.clone(), call.is_about_groups()));
        is_new || is_gate(call)
    };
    points.into_iter().filter(|point| is_first(&point.call)).collect()
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { role, name, when, text, .. } = &self.call;
        let text: String = text.chars().take(90).collect();
        write!(f, "{} {role} {name}:{when} {name}({text}", self.case)
    }
}
