//! step00: a process, and nothing else.
//!
//! It blinds to nothing. The process sees the whole building: every other
//! process, every file that its user may see, every interface. All that
//! follows is the same fork, exec and wait with something put on in between.
//!
//! Interface:
//!
//! - [`process`] - the primitive: [`process::fork`] (clone3),
//!   [`process::execute`], [`process::wait`].
//! - [`child`] - what can be done with a process that has been made.
//! - [`Stage`] - sets the three in order for every rung, with the [`Gate`]
//!   between launcher and process.
//! - [`proc`], [`Proc`] - what the kernel says about one process.
//! - [`Look`], [`Line`], [`Mark`], [`Subject`] - the ledger.
//! - [`Advice`], [`Failure`], [`finish`] - errors and exit statuses.
//! - [`unwritten`] - the body that an exercise leaves out.
//! - [`Guardian`] - gives back what was borrowed, even after SIGKILL.
//!
//! Not promised: that the process's own children die with the launcher. Only a
//! PID namespace (step02) ties them together.

// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "A container is a Linux process: on macOS and Windows use the virtual \
     machine that the Vagrantfile describes (vagrant up && vagrant ssh)."
);

// The solution, or the learner's (cargo run -p step00 --features exercise).
#[cfg(all(target_os = "linux", not(feature = "exercise")))]
pub mod process;
#[cfg(all(target_os = "linux", feature = "exercise"))]
#[path = "exercise.rs"]
pub mod process;

#[cfg(target_os = "linux")]
pub mod child;
#[cfg(target_os = "linux")]
pub mod proc;

#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
mod flags;
#[cfg(target_os = "linux")]
mod narrator;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod unwritten;

// What every rung's `main` needs, from one place.
pub use anyhow::Result;
pub use std::process::ExitCode;

#[cfg(target_os = "linux")]
pub use {
    child::{Doomed, Ending, Process},
    command::Command,
    failure::{
        Advice, CANNOT_EXECUTE, Failure, NOT_FOUND, WORKSHOP_FAILED, finish,
    },
    flags::{Args, arguments},
    narrator::{Line, Look, Mark, Subject, epilogue, print},
    proc::Proc,
    stage::{Finale, Gate, Guardian, Outcome, Performance, Stage},
    unwritten::unwritten,
};
