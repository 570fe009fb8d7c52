//! step11: setns and pidfd, walking back in.
//!
//! It adds nothing to what a container cannot see, use or ask for. It shows
//! that none of this is a wall: a process joins another's namespaces and group.
//!
//! - [`enter`], [`namespaces`] - the primitive: hold a process, join its own.
//! - [`run`] - step10 with a name; [`exec`], [`copy`] - one more process.
//! - [`folder`], [`state`], [`record`], [`log`] - what is known of each.
//! - [`detach`] - a launcher without a terminal, and no daemon.
//! - [`pod`] - containers that share blindfolds; [`volume`] - what stays.
//! - [`ps`], [`stats`], [`inspect`] - looking; [`end`], [`commands`] - the rest.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step11 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod enter;
#[cfg(not(feature = "exercise"))]
pub mod enter;

pub mod commands;
pub mod copy;
pub mod detach;
pub mod end;
pub mod exec;
pub mod folder;
pub mod images;
pub mod inspect;
pub mod log;
pub mod namespaces;
pub mod pod;
pub mod ps;
pub mod record;
pub mod run;
pub mod state;
pub mod stats;
pub mod update;
pub mod volume;

mod flags;

pub use flags::{Args, Names, Run, words::advise};
