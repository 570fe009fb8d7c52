//! step05 from outside: whose interfaces, which way out, and who comes in?
//!
//! The real machine's network is left alone: each test makes a machine of its
//! own, with an outside to it. `lab.rs` draws the picture.

mod crowd;
mod forwarding;
mod guard;
mod interfaces;
mod lab;
mod locks;
mod names;
mod no_nftables;
mod outside;
mod publish;
mod ranges;

const STEP05: &str = env!("CARGO_BIN_EXE_step05");
