//! step08: seccomp.
//!
//! It gags: there are words that the process cannot say to the kernel. Blind
//! and handcuffed as it is, it still talks to the one kernel of this machine
//! in some 350 system calls, and a hole in any of them is a way out. What
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
pub mod ledger;

mod argument;
mod flags;
mod profile;

pub use flags::{Args, Profile};
pub use ledger::LEDGER;
pub use profile::{dump, install};
