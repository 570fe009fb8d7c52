//! The network, with the machine's root and without.

use std::cell::OnceCell;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use step00::{Advice, Gate, Process};
use step05::Kind;

use crate::Args;
use crate::ledger::found;
use crate::pasta::{self, Pasta};

/// A container's connection: that of step05, or one by pasta(1).
#[derive(Debug)]
pub struct Connection {
    own: step05::Connection,
    program: Option<PathBuf>,
    pasta: OnceCell<Pasta>,
}

/// The network that the flags of step05 ask for, as far as it can be had.
///
/// A cable has one end on the machine's side, and to plug that in takes the
/// machine's root. Without it there is pasta, and where that is not installed
/// the loopback is what is left of a private network.
///
/// # Errors
/// When a port is to be published, and there is no cable to hand it on.
pub fn connection(args: &Args, asked: &step05::Args) -> Result<Connection> {
    let mut asked = asked.clone();
    let mut program = None;
    if args.is_rootless() && asked.network == Kind::Private {
        if !asked.publish.is_empty() {
            let error = anyhow!("--publish needs a cable to hand a port on");
            return Err(error).advice(
                "with root, who may plug one in; or --network host, which \
                 has the machine's own ports",
            );
        }
        asked.network = Kind::None;
        match pasta::find() {
            Ok(path) => program = Some(path),
            Err(error) => found("way out", format!("none: {error:#}")),
        }
    }
    let own = step05::Connection::claim(&asked)?;
    Ok(Connection { own, program, pasta: OnceCell::new() })
}

impl Connection {
    /// The blindfold: CLONE_NEWNET, or none.
    pub fn namespace(&self) -> libc::c_int {
        self.own.namespace()
    }

    /// The files in which the container finds its name and name servers.
    pub fn files(
        &self,
        hostname: &str,
        args: &step05::Args,
    ) -> Vec<(PathBuf, String)> {
        self.own.files(hostname, args)
    }

    /// The container's own address, if it has a cable. (By pasta it has the
    /// machine's.)
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.own.address()
    }

    /// Outside, while the process waits: plugs in the cable.
    ///
    /// # Errors
    /// As for step05's, and what pasta says.
    pub fn connect(&self, process: &Process) -> Result<()> {
        if let Some(program) = &self.program {
            let pasta = Pasta::start(program, process).advice(
                "--network none does without, --network host has the \
                 machine's own",
            )?;
            let _ = self.pasta.set(pasta);
        }
        self.own.connect(process)
    }

    /// Inside: waits for the cable, and brings up the interfaces.
    ///
    /// # Errors
    /// As for step05's.
    pub fn bring_up(&self, gate: &Gate) -> Result<()> {
        self.own.bring_up(gate)
    }
}
