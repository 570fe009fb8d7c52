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
//! - [`Stage`] - sets the three in order for every rung, with the [`Gate`]
//!   between launcher and process.
//! - [`Look`], [`Line`], [`Mark`], [`Subject`] - the ledger.
//! - [`Advice`], [`Failure`], [`finish`] - errors and exit statuses.
//! - [`Guardian`] - gives back what was borrowed, even after SIGKILL.
//!
//! Not promised: that the process's own children die with the launcher. Only a
//! PID namespace (step02) ties them together.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "A container is a Linux process: on macOS and Windows use the virtual \
     machine that the Vagrantfile describes (vagrant up && vagrant ssh)."
);

#[cfg(target_os = "linux")]
pub mod process;

#[cfg(target_os = "linux")]
mod arguments;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
mod gate;
#[cfg(target_os = "linux")]
mod guardian;
#[cfg(target_os = "linux")]
mod narrator;
#[cfg(target_os = "linux")]
mod performance;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod watch;

// What every rung's `main` needs, from one place.
pub use anyhow::Result;
pub use std::process::ExitCode;

#[cfg(target_os = "linux")]
pub use {
    arguments::{Args, arguments},
    failure::{
        Advice, CANNOT_EXECUTE, Failure, NOT_FOUND, WORKSHOP_FAILED, finish,
    },
    gate::Gate,
    guardian::Guardian,
    narrator::{Line, Look, Mark, Subject, epilogue, print},
    performance::{Outcome, Performance},
    process::{Command, Ending, Process},
    stage::{Finale, Stage},
};
