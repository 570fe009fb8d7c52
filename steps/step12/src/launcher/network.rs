//! The network: only what config.json asks for. Cables are the engine's.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use step00::Process;
use step05::moving;

use crate::config::Config;
use crate::config::mounts::NetDevice;

/// Inside: a new network namespace has a loopback interface, which is down.
///
/// # Errors
/// As for [`step05::network::bring_up_loopback`].
pub fn bring_up(config: &Config) -> Result<()> {
    match config.makes(libc::CLONE_NEWNET) {
        true => step05::network::bring_up_loopback(),
        false => Ok(()),
    }
}

/// The launcher, before anything is made: could these be interfaces?
///
/// # Errors
/// With the name, if not.
pub fn check(devices: &BTreeMap<String, NetDevice>) -> Result<()> {
    for (name, device) in devices {
        let its = [name, device.name(name)];
        its.into_iter()
            .try_for_each(|name| moving::check_name(name))
            .with_context(|| format!("linux.netDevices {name:?}"))?;
    }
    Ok(())
}

/// The launcher, while the new process waits: gives it interfaces of the
/// machine's. They are not brought back: with its last process the namespace
/// ends, and the kernel moves those home that are hardware.
///
/// # Errors
/// As for [`moving::give_away`].
pub fn move_devices(process: &Process, config: &Config) -> Result<()> {
    for (name, device) in &config.linux.net_devices {
        moving::give_away(name, device.name(name), process.pid)
            .with_context(|| format!("linux.netDevices {name:?}"))?;
    }
    Ok(())
}

impl NetDevice {
    /// Its name inside: the machine's, unless config.json says another one.
    fn name<'a>(&'a self, machines: &'a String) -> &'a String {
        let name = self.name.as_ref().filter(|name| !name.is_empty());
        name.unwrap_or(machines)
    }
}
