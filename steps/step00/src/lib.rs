//! step00: a process, and nothing else.
//!
//! It blinds to nothing: the process sees the whole building. All that follows
//! is the same fork, exec and wait with something put on in between.
//!
//! - [`process`], [`child`] - the primitive: fork (clone3), execute, wait.
//! - [`stage`] - sets the three in order for every rung.
//! - [`proc`] - what the kernel says about one process.
//! - [`narrator`], [`ledger`] - tell what the process can see and use.
//! - [`failure`], [`folder`], [`lock`], [`stat`] - errors, files, what is ours.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's.
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod process;
#[cfg(not(feature = "exercise"))]
pub mod process;

pub mod child;
pub mod failure;
pub mod folder;
pub mod ledger;
pub mod lock;
pub mod narrator;
pub mod proc;
pub mod stage;
pub mod stat;
pub mod unwritten;

mod command;
mod finish;
mod flags;

pub use child::{Doomed, Ending, Process};
pub use command::{Command, search_path};
pub use failure::{Advice, Failure};
pub use flags::{Args, arguments, arguments_with};
pub use narrator::{Line, Mark, Reader, Subject, epilogue, print};
pub use stage::{Gate, Guardian, Outcome, Running, Stage};
pub use {anyhow::Result, ledger::LEDGER, std::process::ExitCode};
pub use {finish::finish, finish::rung, proc::Proc, unwritten::unwritten};
