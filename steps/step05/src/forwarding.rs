//! Forwarding: whether the machine passes on packets that are not for itself.
//!
//! An ordinary machine does not. It is a switch for each interface, asked on
//! the one where a packet *arrives*; so the answers to a container need it on
//! the uplink. The old setting comes back with the last container that needs
//! it, even if all of them are killed.
//!
//! How many need it is counted by the kernel: each launcher has a share in a
//! lock (flock(2)) that goes when its holder does. The switch itself is a file
//! after all, and could be locked; but by everybody.

use std::fs;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use step00::lock::{self, Lock, Share};
use step00::proc::Route;
use step00::{Advice, Guardian, Proc};

use crate::address;

/// The switch of all interfaces.
const ALL: &str = "/proc/sys/net/ipv4/ip_forward";

/// What the names of the locks begin with.
const LOCK: &str = ".forward-";

/// Switches forwarding on for an interface that belongs to us alone.
pub fn switch_on(interface: &str) -> Result<()> {
    let path = switch_of(interface);
    fs::write(&path, "1")
        .with_context(|| format!("write 1 to {path}"))
        .advice("--network none needs no router")
}

/// Switches forwarding on for the machine's uplink, if there is one and it is
/// off. It is switched off again when the last such guardian ends.
pub fn borrow_uplink() -> Result<Option<Guardian>> {
    let Some(uplink) = uplink()? else { return Ok(None) };
    let path = switch_of(&uplink);
    let here = address::this_network()?;
    // The looking and the switching below, one launcher at a time.
    lock::sweep(LOCK);
    let name = format!("{LOCK}{here}");
    let mutex = Lock::take(&name)?;
    let shares = format!("{name}-{uplink}");

    let was_on = is_on(&path)?;
    let nobody_borrows = Share::is_free(&shares)?;
    if was_on && nobody_borrows {
        // It is on because somebody wants it so. Not ours to switch off.
        return Ok(None);
    }
    let is_exception = !was_on && is_on(ALL)?;
    let share = Share::take(&shares)?;
    // The guardian first: a switch that is on must have one, whatever happens.
    let guardian = Guardian::start(Some(share.as_fd()), || {
        give_back(&path, &name, &share, is_exception);
        // The claim of addresses may be left, if the launcher was killed.
        lock::sweep(address::CLAIM);
    })?;
    share.leave_to_guardian();
    // The guardian takes the mutex, too, should the next line fail.
    drop(mutex);
    switch_on(&uplink)?;
    Ok(Some(guardian))
}

/// In the guardian, which has inherited the share.
fn give_back(path: &str, mutex: &str, share: &Share, is_exception: bool) {
    let Ok(_mutex) = Lock::take(mutex) else { return };
    // All interfaces are on by now? Then somebody else needs that: Docker
    // switches it on when it starts.
    let is_wanted = !is_exception && is_on(ALL).unwrap_or(false);
    if share.give_back() && !is_wanted {
        let _ = fs::write(path, "0");
    }
}

fn is_on(path: &str) -> Result<bool> {
    let value = fs::read_to_string(path);
    let value = value.with_context(|| format!("read {path}"))?;
    Ok(value.starts_with('1'))
}

fn switch_of(interface: &str) -> String {
    format!("/proc/sys/net/ipv4/conf/{interface}/forwarding")
}

/// The interface of the default route, unless that only says "unreachable".
///
/// # Errors
/// When /proc cannot be read.
pub fn uplink() -> Result<Option<String>> {
    let mut routes = Proc::own().routes()?.into_iter();
    let interface = routes.find(Route::is_default).map(|r| r.interface);
    Ok(interface.filter(|interface| interface != "*"))
}
