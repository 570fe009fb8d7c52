//! step06: the user namespace.
//!
//! It blinds to the machine's users: root inside is an ordinary person
//! outside. It is also the one namespace that takes no privilege to make, and
//! root in it may make all the others: a container without root.
//!
//! Interface:
//!
//! - [`user`] - the primitive: write the maps, become root.
//! - [`ids`] - which numbers are mapped, and which process may write the maps.
//! - [`layers`] - images whose owners are not mapped.
//! - [`set_stage`] - /dev/stdout and its like, for one who is nobody outside.
//! - [`Args`] - `--uid-map`, `--gid-map`, `--rootless`.
//! - [`ledger`] - which user root inside is outside.
//!
//! Still visible: nothing of the above, but there is no limit yet to what the
//! process may use.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step06 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod user;
#[cfg(not(feature = "exercise"))]
pub mod user;

pub mod ids;
pub mod layers;
pub mod ledger;
pub mod mapping;

mod flags;
mod names;
mod pasta;
mod probe;
mod rootless;
mod streams;
mod writing;

pub use rootless::{Connection, connection};
pub use {flags::Args, ids::Maps, ledger::LEDGER, names::name_of};
pub use {streams::set_stage, writing::give_up_groups};
