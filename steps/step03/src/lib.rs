//! step03: the mount namespace.
//!
//! It blinds to the machine's files: the process gets another root directory,
//! with a /proc, /sys and /dev of its own, and the old one is gone from its
//! mount namespace. `ps` is blind from here on, because /proc is another.
//!
//! - [`root`] - the primitive: let go, bind, mount proc, pivot.
//! - [`furnish()`] - all that the new root needs before the pivot.
//! - [`rootfs`] - a root file system made without any download.
//! - [`volumes`] - folders of the machine that are shown on purpose.
//! - [`tree`], [`filesystem`], [`target`] - mounts in hand, and where they go.
//! - [`Args`] - `--rootfs`, `--read-only`, `--volume`, `--workdir`, `--env`.
//! - [`ledger`] - what is mounted on the process's `/`.
//!
//! Still visible: the machine's interfaces (`ip link`), its users (root is
//! real root), its uptime, its kernel.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step03 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod root;
#[cfg(not(feature = "exercise"))]
pub mod root;

pub mod filesystem;
pub mod ledger;
pub mod rootfs;
pub mod target;
pub mod tree;
pub mod volumes;

mod devices;
mod environment;
mod flags;
mod furnish;
mod settle;
mod within;

pub use environment::{clean_environment, set_stage};
pub use flags::{Args, Variable, parse_variable, variables};
pub use settle::{enter, settle_in};
pub use {furnish::furnish, ledger::LEDGER, within::open_within};
