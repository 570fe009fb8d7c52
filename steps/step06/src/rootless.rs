//! What is different without the machine's root.

use anyhow::{Result, anyhow};
use step00::Advice;
use step05::{Connection, Kind};

use crate::Args;

/// The network that the flags of step05 ask for, as far as it can be had.
///
/// A cable has one end on the machine's side, and to plug that in takes the
/// machine's root. Without it, what is left of a private network is the
/// loopback.
///
/// # Errors
/// When a port is to be published, and there is no cable to hand it on.
pub fn connection(args: &Args, asked: &step05::Args) -> Result<Connection> {
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
    Connection::claim(&asked)
}
