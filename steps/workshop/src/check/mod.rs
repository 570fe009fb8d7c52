//! `workshop check`: builds a rung on the learner's code, runs it, and looks
//! from outside at what really happened.
//!
//! It trusts nothing that the rung says about itself. Four parts:
//!
//! - here, as the learner: [`build`] it with cargo, and note the result;
//! - [`built`], on both sides of sudo: the hidden subcommand `attempt` starts
//!   the rung ([`running`]) and reads /proc ([`outside`]). It is the one command
//!   that is elevated, since the same process must start the rung and look at it;
//! - [`trial`], around that: what the rung does to a machine stays in there;
//! - [`step00`] …: what is expected of each rung, and what is the likeliest
//!   mistake where it is not so. What a process has been asked to do shows in
//!   its [`calls`], and what it makes of an error where a call is [`refuse`]d.

mod attempt;
pub mod build;
pub mod built;
mod calls;
pub mod command;
mod expect;
pub mod filter;
mod hang;
mod keys;
mod machine;
mod one_try;
pub mod outside;
mod refuse;
pub mod report;
pub mod running;
pub mod scratch;
mod trainer;
mod trial;
mod verdicts;
mod wait;
mod watch;

pub mod step00;
pub mod step01;
pub mod step02;
pub mod step03;
pub mod step04;
pub mod step05;
pub mod step06;
pub mod step07;
pub mod step08;
pub mod step09;
pub mod step10;
pub mod step11;
pub mod step12;

use anyhow::Result;

pub use attempt::Attempt;
pub use report::Causes;

/// Tries one rung, and notes what was as expected and what was not. Each has
/// its own, which its row of the ladder names.
pub type Look = fn(&mut Attempt) -> Result<()>;
