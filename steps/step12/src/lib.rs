//! step12: the two halves of a start, and the rungs below as a runtime.
//!
//! It adds nothing to what a container cannot see, use or ask for. Which
//! blindfolds, handcuffs and gags are put on is not said by flags here, but by
//! a file, config.json, which another program has written (the OCI runtime
//! specification). Docker, Podman, containerd and Kubernetes all write it.
//!
//! - [`gate`] - the primitive: a process that waits, held by a file.
//! - [`create`], [`start`], [`exec`], [`end`] - what engines call.
//! - [`config`] - what the file says; [`state`] - what is known between calls.
//! - [`mounts`], [`cgroup`], [`seccomp`], [`process`], [`namespaces`] - how
//!   the rungs below are told; [`launcher`] - what else it has at hand.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step12 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod gate;
#[cfg(not(feature = "exercise"))]
pub mod gate;

pub mod cgroup;
pub mod config;
pub mod create;
pub mod end;
pub mod events;
pub mod exec;
pub mod features;
pub mod flags;
pub mod group;
pub mod launcher;
pub mod mounts;
pub mod namespaces;
pub mod process;
pub mod seccomp;
pub mod show;
pub mod spec;
pub mod start;
pub mod state;

pub use flags::arguments;
