//! `step11 port`: which ports of the machine lead into a container.

use anyhow::{Result, anyhow};
use step00::{Advice, Ending};

use crate::{exec, state};

/// The flags of `port`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// The container
    pub name: String,

    /// Only where this port inside is reached
    #[arg(value_name = "PORT[/tcp]", value_parser = parse)]
    pub inside: Option<u16>,
}

fn parse(text: &str) -> Result<u16, String> {
    let number = text.strip_suffix("/tcp").unwrap_or(text);
    number.parse().map_err(|_| "write a port number, or N/tcp".into())
}

/// Prints a line for each, or for those of one port inside.
///
/// # Errors
/// When it does not run, and nobody listens for it; or that port is not
/// handed on.
pub fn port(args: &Args) -> Result<Ending> {
    let state = state::read(&args.name)?;
    if state.status().process().is_none() {
        state.running()?;
    }
    let ports = exec::recorded(&state)?.network.publish;
    let Some(inside) = args.inside else {
        let line = |port: &step05::publish::Ports| {
            format!("{}/tcp -> {}:{}\n", port.inside, port.address, port.host)
        };
        return step00::print(&ports.iter().map(line).collect::<String>());
    };
    let ports = ports.iter().filter(|port| port.inside == inside);
    let lines: String = ports
        .map(|port| format!("{}:{}\n", port.address, port.host))
        .collect();
    if lines.is_empty() {
        let name = &args.name;
        let error =
            anyhow!("no port of the machine leads to {inside} of {name}");
        return Err(error).advice(format!("run --publish HOST:{inside}"));
    }
    step00::print(&lines)
}
