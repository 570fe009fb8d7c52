//! step02: the PID namespace.
//!
//! It blinds to other processes: they have no number here, and what has no
//! number cannot be signalled, traced or waited for. The first process in the
//! namespace is PID 1, with the shield and the duties of PID 1.
//!
//! Interface:
//!
//! - [`pid::run_as_init`] - the primitive: PID 1's duties, for a command that
//!   does not know them.
//! - [`first`] - what that means for the launcher: terminal and signals.
//! - [`Args`] - `--init`.
//! - [`ledger`] - the numbers that the process has inside and outside.
//!
//! Still visible: `ps` shows every process of the machine until step03,
//! because it reads /proc, and that is still the machine's own.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step02 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod pid;
#[cfg(not(feature = "exercise"))]
pub mod pid;

pub mod first;
pub mod ledger;

mod flags;
mod init;

pub use first::{drops, set_stage};
pub use flags::Args;
pub use ledger::LEDGER;
