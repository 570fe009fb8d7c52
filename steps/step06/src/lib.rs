//! step06: the user namespace.
//!
//! It blinds to the machine's users: root inside is an ordinary person
//! outside. It is also the one namespace that takes no privilege to make, and
//! whoever is root in it may make all the others: a container without root.
//!
//! Interface:
//!
//! - [`user`] - the primitive: write the maps, become root.
//! - [`ids`] - which numbers are mapped, and who may write that down.
//! - [`layers`] - images that belong to somebody else.
//! - [`Args`] - `--uid-map`, `--gid-map`, `--rootless`.
//! - [`ledger`] - who root inside is outside.
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

use anyhow::{Context, Result, anyhow};
use nix::unistd::{Uid, User, geteuid};
use step00::{Advice, Line, Mark, Subject};
use step05::{Kind, Network};

use ids::Mapping;
pub use ids::Maps;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step06: the users")]
#[group(skip)]
pub struct Args {
    /// Users inside and who they are outside; repeat it for more ranges
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT")]
    #[arg(value_parser = Mapping::parse)]
    pub uid_map: Vec<Mapping>,

    /// The same for groups
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT")]
    #[arg(value_parser = Mapping::parse)]
    pub gid_map: Vec<Mapping>,

    /// Do without the machine's root altogether (and without a cable)
    #[arg(long)]
    pub rootless: bool,
}

impl Args {
    /// Is there no root to help, by choice or by necessity?
    pub fn is_rootless(&self) -> bool {
        self.rootless || !geteuid().is_root()
    }
}

/// The network that the flags of step05 ask for, as far as it can be had.
///
/// A cable has one end on the machine's side, and to plug that in takes the
/// machine's root. Without it, what is left of a private network is the
/// loopback.
///
/// # Errors
/// When a port is to be published, and there is no cable to hand it on.
pub fn network(args: &Args, asked: &step05::Args) -> Result<Network> {
    let mut asked = asked.clone();
    if args.is_rootless() && asked.network == Kind::Private {
        if !asked.publish.is_empty() {
            let error = anyhow!("--publish needs a cable to hand a port on");
            return Err(error).advice(
                "with root, who may plug one in; or --network host, which \
                 has the machine's own ports",
            );
        }
        asked.network = Kind::None;
    }
    Network::claim(&asked)
}

/// Reads who root is outside, by the number that this launcher knows.
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("user")? {
        return Ok(Vec::new());
    }
    let map = process.uid_map()?;
    let root = map.outside(0).context("find root's map")?;
    let name = User::from_uid(Uid::from_raw(root as u32)).ok().flatten();
    let name = name.map_or(String::new(), |user| format!("{}, ", user.name));
    let text = match map.count() {
        1 => {
            format!("root inside is {name}uid {root} outside, nobody else is")
        }
        count => {
            format!("root inside is {name}uid {root} outside, of {count}")
        }
    };
    Ok(vec![Line::new(Mark::Blind, "users", text)])
}
