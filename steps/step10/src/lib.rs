//! step10: what makes root powerful, taken away.
//!
//! It gags root: of some forty capabilities a container needs a dozen. With
//! no_new_privs no program gives any of them back, the machine's own files in
//! /proc and /sys are covered, and AppArmor or SELinux can have a say.
//!
//! - [`privileges`] - the primitive; [`sets`] - each of the five by itself.
//! - [`calls`] - the system calls for it, as Rust sees them.
//! - [`capabilities`] - their names, and which are left.
//! - [`masks`], [`rlimits`], [`labels`] - what else root could use.
//! - [`sealed`], [`keyring`], [`streams`] - what belongs to the launcher.
//!
//! Still visible: nothing that is not shared on purpose. This is what Docker
//! calls a container.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's.
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod privileges;
#[cfg(not(feature = "exercise"))]
pub mod privileges;

pub mod calls;
pub mod capabilities;
pub mod keyring;
pub mod labels;
pub mod ledger;
pub mod masks;
pub mod rlimits;
pub mod sealed;
pub mod sets;
pub mod streams;

mod flags;
mod identity;
mod prepare;
mod strip;

pub use identity::{User, home, parse_user, remember_home};
pub use prepare::{arguments, default_user, keep_back, prepare, set_stage};
pub use {flags::Args, ledger::LEDGER, masks::mask, strip::strip};
