//! Random input: flags for every program, and archives and layouts for
//! `workshop rootfs`. Whatever comes, there is no panic, no hang, no exit
//! status that is not documented, nothing left and nothing written outside.
//!
//! Here a few hundred runs; `.ci/fuzz N` makes as many as you like. What fails
//! is printed with the seed of its run: `.ci/fuzz 1 SEED` does that one again.
//! The numbers come from a generator of our own, since one multiplication and
//! three shifts are all that it takes.

mod archives;
mod flags;
mod random;
mod run;
#[path = "../target/mod.rs"]
mod target;
