//! step07: control groups.
//!
//! The handcuffs: not what a process can see but what it can use. The kernel
//! counts memory, CPU time, processes and disk traffic of a whole group, and
//! stops the group at its limit.
//!
//! Interface:
//!
//! - [`cgroup`] - the primitive: hand on controllers, make a group, limit it.
//! - [`quantities`], [`limits`], [`counts`] - in the terms of the kernel's files.
//! - [`place`], [`events`] - where a group can be made, waiting for its end.
//! - [`Handcuffs`], [`mod@sweep`] - a group, its report, and its removal.
//! - [`Args`] - `--memory`, `--cpus`, `--pids`, `--io-read`, `--io-write`,
//!   `--cpuset`.
//! - [`ledger`] - the limits of the process's group.
//!
//! Not promised: limits on a machine with cgroup v1. Still open: the process
//! may ask the kernel for anything.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step07 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod cgroup;
#[cfg(not(feature = "exercise"))]
pub mod cgroup;

pub mod counts;
pub mod events;
pub mod ledger;
pub mod limits;
pub mod place;
pub mod quantities;
pub mod sweep;

mod belt;
mod files;
mod flags;
mod handcuffs;

pub use flags::Args;
pub use handcuffs::{Handcuffs, is_oom_killed, put_on, report, set_stage};
pub use ledger::LEDGER;
pub use sweep::{last_resort, leftovers, start_time, sweep};
