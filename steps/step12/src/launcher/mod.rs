//! What the launcher of `create` and of `exec` has at hand, beside what the
//! rungs below are told.
//!
//! - [`bundle`] - what it reads; [`claim`] - what it has on the machine.
//! - [`console`], [`descriptors`] - what is open, and for whom.
//! - [`agent`] - the filter, and whom that asks; [`network`] - loopback, and
//!   interfaces that are given away.
//! - [`hooks`] - other programs, at certain moments.
//! - [`look`], [`through`] - the last steps before the gate, and after it.

pub mod agent;
pub mod bundle;
pub mod claim;
pub mod console;
pub mod descriptors;
pub mod hooks;
pub mod look;
pub mod network;
pub mod through;

pub use agent::Agent;
pub use bundle::Bundle;
pub use claim::Claim;
pub use console::Console;
