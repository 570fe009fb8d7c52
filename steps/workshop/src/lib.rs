//! The learner's companion: what is not a rung of the ladder but helps to
//! climb it. `cargo workshop …` runs it as the learner, never as root.
//!
//! Exit status: 0 done, 1 an error that was explained (or, from `doctor`, rungs
//! that cannot run), 2 a wrong command line.
//!
//! - [`ladder`] - the one table of the rungs; scripts and tests read it too.
//! - `check`, and `learn` around it - the learner's own code: trying it, hints,
//!   the reference, what is done; [`challenge`] - more to do; `class` - the same of a whole room.
//! - `doctor`, `measure`, `peek` - the machine, and any process on it.
//! - `rootfs`, `apparmor`, `clean` - what the workshop makes and removes.
#![doc = include_str!("ladder.md")]

mod apparmor;
mod arch;
mod bundles;
pub mod challenge;
mod check;
mod class;
mod clean;
mod cli;
mod doctor;
mod elevate;
pub mod ladder;
mod learn;
mod measure;
mod peek;
mod progress;
mod rootfs;
mod text;

pub use cli::main;
