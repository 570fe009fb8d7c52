//! step05: the network namespace.
//!
//! It blinds to the machine's interfaces, addresses, routes, firewall rules
//! and listening sockets: the process gets a whole network stack of its own.
//! With it come a cable to the machine and a way out.
//!
//! Interface:
//!
//! - [`network`] - the primitive: loopback, the cable, the container's end.
//! - [`netlink`] - the language in which the kernel is asked for it.
//! - [`nat`], [`forwarding`] - the way out: the machine as a router.
//! - [`address`], [`names`], [`publish`] - addresses, names, ports.
//! - [`Args`] - `--network`, `--publish`, `--dns`.
//! - [`Network`] - all of these together, from before the process exists until
//!   after its end.
//! - [`ledger`] - interfaces and addresses, as the process has them.
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
pub mod names;
pub mod nat;
pub mod netlink;
pub mod publish;

mod messages;

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;
use step00::{Guardian, Line, Mark, Process, Subject};

use address::Claim;
use nat::Masquerade;
use publish::Published;

/// The flags of this rung.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "step05: the network")]
#[group(skip)]
pub struct Args {
    /// A network of its own with a way out, or without one, or the machine's
    #[arg(long, value_enum, default_value_t = Kind::Private)]
    pub network: Kind,

    /// Hand on a TCP port of the machine to one inside
    #[arg(short, long, value_name = "HOST:INSIDE")]
    #[arg(value_parser = publish::parse)]
    pub publish: Vec<publish::Ports>,

    /// A name server to ask, instead of the machine's
    #[arg(long, value_name = "IP")]
    pub dns: Vec<IpAddr>,
}

/// Which network the process gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Its own, with a cable to the machine and from there to the world
    Private,
    /// Its own, with nothing but a loopback interface
    None,
    /// The machine's: no blindfold at all
    Host,
}

/// The network of one container, on the machine's side.
#[derive(Debug)]
pub struct Network {
    kind: Kind,
    published: Vec<Published>,
    // Held only for what dropping them does.
    _masquerade: Option<Masquerade>,
    _forwarding: Option<Guardian>,
    // Dropped last: the table has the number of the claim in its name.
    claim: Option<Claim>,
}

impl Network {
    /// Claims addresses and ports. To be called before the process is made.
    ///
    /// # Errors
    /// When a port is in use, or is to be published into no network.
    pub fn claim(args: &Args) -> Result<Network> {
        let is_private = args.network == Kind::Private;
        if !is_private && !args.publish.is_empty() {
            bail!(
                "--publish needs a cable to hand a port on\n  \
                 try: --network private"
            );
        }
        let published = publish::listen(&args.publish)?;
        let claim = is_private.then(address::claim).transpose()?;
        let masquerade = claim.as_ref().map(|claim| {
            let Claim { cable, .. } = claim;
            Masquerade::start(
                &format!("workshop-{}", cable.name),
                cable.inside,
            )
        });
        let forwarding = match is_private {
            true => forwarding::borrow_uplink()?,
            false => None,
        };
        Ok(Network {
            kind: args.network,
            claim,
            published,
            _masquerade: masquerade.transpose()?,
            _forwarding: forwarding,
        })
    }

    /// The blindfold: CLONE_NEWNET, or none.
    pub fn flags(&self) -> u64 {
        match self.kind {
            Kind::Host => 0,
            _ => libc::CLONE_NEWNET as u64,
        }
    }

    /// The files in which the container finds its name and name servers.
    pub fn files(
        &self,
        hostname: &str,
        args: &Args,
    ) -> Vec<(PathBuf, String)> {
        let cable = self.claim.as_ref().map(|claim| &claim.cable);
        names::files(hostname, self.kind, cable, &args.dns)
    }

    /// Outside, while the process waits: plugs in the cable.
    pub fn plug_in(&self, process: &Process) -> Result<()> {
        let Some(Claim { cable, .. }) = &self.claim else { return Ok(()) };
        network::plug_in(cable, process.pid)?;
        forwarding::switch_on(&cable.name)?;
        publish::serve(&self.published, cable.inside)
    }

    /// Inside, with the cable plugged in: configures both interfaces.
    pub fn configure(&self) -> Result<()> {
        if self.kind != Kind::Host {
            network::bring_up_loopback()?;
        }
        match &self.claim {
            Some(Claim { cable, .. }) => network::configure(cable),
            None => Ok(()),
        }
    }
}

/// Reads interfaces, addresses and the way out in the process's own network
/// namespace: /proc/PID/net (proc_pid_net(5)).
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    if !process.is_apart("net")? {
        return Ok(Vec::new());
    }
    let devices = process.read("net/dev")?;
    let devices = devices.lines().filter_map(|line| line.split_once(':'));
    let names: Vec<&str> = devices.map(|(name, _)| name.trim()).collect();
    let mut text = names.join(", ");
    if let Some(address) = address_of(&process.read("net/fib_trie")?) {
        text += &format!(" with {address}");
    }
    let routes = process.routes()?;
    let default = routes.iter().find(|route| route.is_default());
    text += &match default {
        Some(route) => format!(", way out {}", route.gateway),
        None if geteuid().is_root() => ", no way out".into(),
        None => ", no way out (a cable takes the machine's root)".into(),
    };
    let mut lines = vec![Line::new(Mark::Blind, "network", text)];
    if default.is_some() {
        let obstacles = obstacles()?;
        let is_free = obstacles.is_empty();
        let line = Line::new(Mark::Blind, "way out", obstacles.join("\n"));
        lines.extend((!is_free).then_some(line));
    }
    Ok(lines)
}

/// The address that is not loopback's. Each leaf of the trie is a line
/// `|-- ADDRESS`, followed by what it is.
fn address_of(trie: &str) -> Option<&str> {
    let lines: Vec<&str> = trie.lines().map(str::trim).collect();
    let is_own = |pair: &&[&str]| {
        pair[1].ends_with("host LOCAL") && !pair[0].contains(" 127.")
    };
    let leaf = lines.windows(2).find(is_own)?;
    leaf[0].strip_prefix("|-- ")
}

/// What stands in the way of the container's packets on this machine.
fn obstacles() -> Result<Vec<String>> {
    let chains = nat::dropping_chains().context("list the forward chains")?;
    let text = |chain| {
        format!("the machine's chain `{chain}` drops what it would forward")
    };
    let mut found: Vec<String> = chains.into_iter().map(text).collect();
    if forwarding::uplink()?.is_none() {
        found.push("the machine has no default route itself".into());
    }
    Ok(found)
}
