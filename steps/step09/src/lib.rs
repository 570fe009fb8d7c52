//! step09: the IPC namespace, and the two that remain.
//!
//! It blinds to shared memory, semaphores and message queues of the machine,
//! to its tree of control groups and, if you like, to its uptime. With these
//! the process wears every blindfold that Linux has.
//!
//! Interface:
//!
//! - [`ipc`] - the primitive: queues, cgroup namespace, time namespace.
//! - [`groups`] - the files of its own group, to be read.
//! - [`Args`] - `--ipc`, `--boottime-offset`.
//! - [`ledger`] - what is its own, and by how much its uptime differs.
//!
//! POSIX shared memory (shm_open(3)) is not among these: it is files in
//! /dev/shm, which has been the container's own since step03.
//!
//! Still visible: what all share, like the date, the kernel and its version.
//! And root inside still has all of root's powers over what is its own.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step09 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod ipc;
#[cfg(not(feature = "exercise"))]
pub mod ipc;

pub mod groups;
pub mod ledger;

mod blindfolds;
mod flags;

pub use blindfolds::{blindfold, furnish, namespace, shift_clocks};
pub use flags::{Args, Kind};
pub use ledger::LEDGER;
