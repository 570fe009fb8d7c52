//! step01: the UTS namespace.
//!
//! It blinds to the machine's name, and to nothing else: two strings, the
//! hostname and the NIS domain name. The name UTS is that of the struct which
//! uname(2) fills in, after "UNIX Time-sharing System".
//!
//! Interface:
//!
//! - [`uts::set_hostname`] - the primitive.
//! - [`Args`] - `--hostname`.
//! - [`ledger`] - what the process answers when it is asked for its name.
//!
//! Still visible: everything else, as real root on the learner's real files.
//! `uname -r` gives the same answer in every container and outside: there is
//! one kernel.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step01 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod uts;
#[cfg(not(feature = "exercise"))]
pub mod uts;

pub mod ledger;

mod domain;
mod flags;

pub use domain::set_domainname;
pub use flags::Args;
pub use ledger::{LEDGER, set_stage};
