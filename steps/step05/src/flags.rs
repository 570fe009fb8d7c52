//! The flags of step05.

use std::net::IpAddr;

use crate::publish;

/// The flags of this rung.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "step05: the network")]
#[group(skip)]
pub struct Args {
    /// A network of its own with a way out, or without one, or the machine's
    #[arg(long, value_enum, default_value_t = Kind::Private)]
    pub network: Kind,

    /// Hand on a port of the machine to one inside [ADDRESS: every one]
    #[arg(short, long, value_name = "[ADDRESS:]HOST:INSIDE[/tcp|/udp]")]
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
    #[value(alias = "bridge")]
    Private,
    /// Its own, with nothing but a loopback interface
    None,
    /// The machine's: no blindfold at all
    Host,
    /// One that is there, and in which the process is born: no word for it
    /// here, it takes a rung that knows other containers.
    #[value(skip)]
    Joined,
}
