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
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use step00::lock::{self, Lock, Share};
use step00::proc::Route;
use step00::{Advice, Guardian, Proc};

use crate::address;

/// The switch of all interfaces.
const ALL: &str = "/proc/sys/net/ipv4/ip_forward";

/// What the names of the locks begin with.
pub(crate) const LOCK: &str = ".forward-";

/// Switches forwarding on for an interface that belongs to us alone.
pub fn switch_on(interface: &str) -> Result<()> {
    let path = switch_of(interface);
    fs::write(&path, "1")
        .with_context(|| format!("write 1 to {path}"))
        .advice("--network none needs no router")
}

/// Switches forwarding on for the machine's uplink, if there is one and it is
/// off. It is switched off again when the last such guardian ends.
///
/// The guardian keeps `table` open as well: the socket that owns the NAT table.
/// The kernel takes its time to close it (see `nat.rs`), and nobody waits for
/// the end of this guardian.
pub fn borrow_uplink(
    uplink: Option<&str>,
    table: BorrowedFd<'_>,
) -> Result<Guardian> {
    // The claim of addresses is left, if the launcher is killed.
    let release = || lock::sweep(&[address::CLAIM]);
    let keep = || Guardian::start(&[table], release).map(Guardian::lingering);
    let Some(uplink) = uplink else { return keep() };
    let path = switch_of(uplink);
    // The looking and the switching below, one launcher at a time.
    let name = format!("{LOCK}{}", address::this_network()?);
    let mutex = Lock::take(&name)?;

    let was_on = is_on(&path)?;
    let is_exception = !was_on && is_on(ALL)?;
    let share = Share::take(&format!("{name}-{uplink}"))?;
    if was_on && share.is_first {
        // It is on because somebody wants it so. Not ours to switch off.
        share.give_back();
        drop(mutex);
        return keep();
    }
    // The guardian first: a switch that is on must have one, whatever happens.
    let guardian = Guardian::start(&[share.as_fd(), table], || {
        give_back(&path, &name, &share, is_exception);
        release();
    });
    let guardian = guardian.inspect_err(|_| _ = share.give_back())?;
    share.leave_to_guardian();
    // The guardian takes the mutex, too, should the next line fail.
    drop(mutex);
    switch_on(uplink)?;
    Ok(guardian.lingering())
}

/// In the guardian, which has inherited the share.
fn give_back(path: &str, mutex: &str, share: &Share, is_exception: bool) {
    // Where a thousand end at once, each waits for its turn; and if the last
    // one gave up, the switch would stay.
    let turn = (0..6).find_map(|_| Lock::take(mutex).ok());
    let Some(_mutex) = turn else { return };
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
    Ok(uplink_of(&Proc::own().routes()?).map(str::to_owned))
}

pub(crate) fn uplink_of(routes: &[Route]) -> Option<&str> {
    let interface = &routes.iter().find(|route| route.is_default())?.interface;
    (interface != "*").then_some(interface)
}
