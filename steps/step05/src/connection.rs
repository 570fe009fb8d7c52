//! The network of one container, from before its process exists until after
//! its end: addresses, ports, the way out, and what the primitive makes of
//! them.

use std::cell::OnceCell;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use step00::{Advice, Gate, Guardian, Proc, Process, lock};

use crate::address::{self, Claim};
use crate::belt::Belt;
use crate::carry::Carrier;
use crate::nat::Masquerade;
use crate::publish::{self, Published};
use crate::{Args, Kind, forwarding, guard, names, network};

/// A container's connection to the machine and the world, or the lack of it.
#[derive(Debug)]
pub struct Connection {
    kind: Kind,
    // Dropped first: last words are delivered.
    carrier: OnceCell<Option<Carrier>>,
    published: Vec<Published>,
    // Held only for what dropping them does. The table is deleted first: its
    // guardian would wait for its end otherwise.
    masquerade: Option<Masquerade>,
    _guardian: Option<Guardian>,
    _belt: Option<Belt>,
    // Dropped last: the table has the number of the claim in its name.
    claim: Option<Claim>,
}

impl Connection {
    /// Claims addresses and ports. To be called before the process is made.
    ///
    /// # Errors
    /// When a port is in use, or is to be published into no network.
    pub fn claim(args: &Args) -> Result<Connection> {
        let is_private = args.network == Kind::Private;
        if !is_private && !args.publish.is_empty() {
            let error = anyhow!("--publish needs a cable to hand a port on");
            return Err(error).advice("--network private");
        }
        let published = publish::listen(&args.publish)?;
        let mut routes = Vec::new();
        if is_private {
            // What launchers have left that were killed with their guardians.
            lock::sweep(&[address::CLAIM, forwarding::LOCK]);
            routes = Proc::own().routes()?;
        }
        let claim = is_private.then(|| address::claim(&routes)).transpose()?;
        let belt = claim.as_ref().map(|claim| Belt::fasten(&claim.cable));
        let table = claim.as_ref().map(|claim| {
            Masquerade::prepare(format!("workshop-{}", claim.cable.name))
        });
        let masquerade = table.transpose()?;
        // Guardians come before the process: a copy of the launcher knows
        // nothing of that.
        let uplink = forwarding::uplink_of(&routes);
        let guardian = masquerade
            .as_ref()
            .map(|table| forwarding::borrow_uplink(uplink, table.owner()));
        Ok(Connection {
            kind: args.network,
            published,
            carrier: OnceCell::new(),
            masquerade,
            _guardian: guardian.transpose()?,
            _belt: belt.transpose()?.flatten(),
            claim,
        })
    }

    /// The blindfold: CLONE_NEWNET, or none.
    pub fn namespace(&self) -> libc::c_int {
        match self.is_new() {
            true => libc::CLONE_NEWNET,
            false => 0,
        }
    }

    /// Is there nothing in it yet?
    fn is_new(&self) -> bool {
        matches!(self.kind, Kind::Private | Kind::None)
    }

    /// The container's own address, if it has a cable.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.claim.as_ref().map(|claim| claim.cable.inside)
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

    /// Outside, while the process sets up its files: opens the way out, plugs
    /// in the cable, and starts to listen on the published ports.
    ///
    /// # Errors
    /// Those of the kernel's answers: see `nat.rs` and `network.rs`.
    pub fn connect(&self, process: &Process) -> Result<()> {
        let (Some(Claim { cable, .. }), Some(table)) =
            (&self.claim, &self.masquerade)
        else {
            return Ok(());
        };
        table.start(cable)?;
        network::plug_in(cable, process.pid)?;
        guard::shut(&cable.name)?;
        forwarding::switch_on(&cable.name)?;
        let carrier = publish::serve(&self.published, cable.inside)?;
        let _ = self.carrier.set(carrier);
        Ok(())
    }

    /// Inside: waits until the cable is plugged in, and brings up both
    /// interfaces.
    ///
    /// # Errors
    /// When the launcher is gone; and the kernel's answers.
    pub fn bring_up(&self, gate: &Gate) -> Result<()> {
        gate.meet()?;
        if self.is_new() {
            network::bring_up_loopback()?;
        }
        match &self.claim {
            Some(Claim { cable, .. }) => network::configure(cable),
            None => Ok(()),
        }
    }
}
