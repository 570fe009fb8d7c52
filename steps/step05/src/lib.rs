//! step05: the network namespace.
//!
//! It blinds to the machine's interfaces, addresses, routes, firewall rules
//! and listening sockets: the process gets a whole network stack of its own.
//! With it come a cable to the machine and a way out.
//!
//! - [`network`] - the primitive; [`netlink`] - how the kernel is asked for it.
//! - [`nat`], [`forwarding`] - the way out: the machine as a router.
//! - [`address`], [`names`], [`publish`] - addresses, names, ports.
//! - [`Args`], [`Connection`], [`ledger`] - what is asked for, and made of it.
//! - [`moving`] - an interface of the machine's that is given away.
//!
//! Not promised: IPv6. Still visible: users. Root inside is the machine's root.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step05 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod network;
#[cfg(not(feature = "exercise"))]
pub mod network;

pub mod address;
pub mod forwarding;
pub mod ledger;
pub mod moving;
pub mod names;
pub mod nat;
pub mod netlink;
pub mod publish;

mod belt;
mod carry;
mod connection;
mod datagrams;
mod flags;
mod guard;
mod messages;
mod nf_requests;
mod nf_tables;

pub use {connection::Connection, flags::Args, flags::Kind, ledger::LEDGER};
