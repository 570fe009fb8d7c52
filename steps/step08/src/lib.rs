//! step08: seccomp.
//!
//! It gags: there are words that the process cannot say to the kernel. Blind
//! and handcuffed as it is, it still talks to the one kernel of this machine
//! in some 400 system calls, and a hole in any of them is a way out. What
//! cannot be called cannot be attacked.
//!
//! Interface:
//!
//! - [`seccomp`] - the primitive: build the filter program, install it.
//! - [`bpf`] - the little machine that the kernel runs it on.
//! - [`calls`] - the policy: which calls are allowed, and why.
//! - [`arch`] - all that depends on the processor's architecture.
//! - [`disassemble`] - the program in words.
//! - [`Args`] - `--seccomp`, `--dump-seccomp`.
//! - [`ledger`] - the filter, as the kernel reports it.
//!
//! Still visible: the machine's System V IPC, its cgroup tree and its uptime.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step08 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod seccomp;
#[cfg(not(feature = "exercise"))]
pub mod seccomp;

pub mod arch;
pub mod bpf;
pub mod calls;
pub mod disassemble;

mod argument;

use anyhow::Result;
use libc::sock_filter;
use step00::{Line, Mark, Subject};

use calls::Calls;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step08: the system calls")]
#[group(skip)]
pub struct Args {
    /// Which system calls the command may make
    #[arg(long, value_enum, value_name = "PROFILE")]
    #[arg(default_value_t = Profile::Default)]
    pub seccomp: Profile,

    /// Print the filter as BPF instructions with names, and exit
    #[arg(long)]
    pub dump_seccomp: bool,
}

/// A choice of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// What ordinary programs need; the rest fails with EPERM
    Default,
    /// All of them: no filter
    None,
}

/// Inside, last of all: from here on nothing can be mounted any more.
pub fn install(args: &Args) -> Result<()> {
    filter(args).as_deref().map_or(Ok(()), seccomp::install)
}

/// The filter in words, for `--dump-seccomp`.
pub fn dump(args: &Args) -> String {
    match filter(args) {
        Some(program) => disassemble::disassemble(&program),
        None => "; no filter: every system call is allowed\n".into(),
    }
}

fn filter(args: &Args) -> Option<Vec<sock_filter>> {
    let program = || seccomp::program(&Calls::default());
    (args.seccomp == Profile::Default).then(program)
}

/// Reads the mode and the number of filters from /proc/PID/status
/// (proc_pid_status(5)): mode 2 is "filter".
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    let line = |mark, text| Ok(vec![Line::new(mark, "syscalls", text)]);
    match process.status("Seccomp")?.as_str() {
        "2" => {
            // Since Linux 5.9.
            let count = process.status("Seccomp_filters");
            let count = count.unwrap_or_else(|_| "?".into());
            let text = format!("filtered (filters: {count})");
            line(Mark::Gagged, text)
        }
        mode => line(Mark::Free, format!("may ask for any (mode {mode})")),
    }
}
