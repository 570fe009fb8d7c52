//! Forwarding: whether the machine passes on packets that are not for itself.
//!
//! An ordinary machine does not. There is a switch for each interface, and
//! what counts is the one where a packet *arrives*; so the answers to a
//! container need it on the uplink. The old setting comes back with the last
//! container that needs it, even if all of them are killed.
//!
//! The kernel counts how many need it: each launcher holds a shared lock
//! (flock(2)) on the switch, which is a file like any other. A lock is
//! released when its holder ends.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use step00::proc::Route;
use step00::{Advice, Guardian, Proc};

/// The switch of all interfaces. A lock on it keeps two launchers from
/// checking and switching at once; any file would do for that.
const ALL: &str = "/proc/sys/net/ipv4/ip_forward";

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
    let mutex = lock(ALL, FlockArg::LockExclusive)?;

    let was_on = is_on(&path)?;
    let nobody_borrows = is_free(&path)?;
    if was_on && nobody_borrows {
        // The administrator has switched it on: not ours to switch off.
        return Ok(None);
    }
    let is_exception = !was_on && is_on(ALL)?;
    let share = lock(&path, FlockArg::LockShared)?;
    // The guardian first: a switch that is on must have one, whatever happens.
    let guardian = Guardian::start(Some(share.as_fd()), || {
        give_back(&path, &share, is_exception)
    })?;
    // The lock belongs to the open file, which the guardian has inherited.
    // Dropping it here would unlock it for both.
    std::mem::forget(share);
    // The guardian takes the mutex, too, should the next line fail.
    drop(mutex);
    switch_on(&uplink)?;
    Ok(Some(guardian))
}

/// In the guardian, which has inherited the shared lock.
fn give_back(path: &str, share: &Flock<File>, is_exception: bool) {
    let Ok(_mutex) = lock(ALL, FlockArg::LockExclusive) else { return };
    // As long as others share the lock, it cannot become exclusive; the last
    // of them will get it.
    let is_last = share.relock(FlockArg::LockExclusiveNonblock).is_ok();
    // If all interfaces are on by now, another program needs them: Docker
    // switches them on when it starts.
    let is_wanted = !is_exception && is_on(ALL).unwrap_or(false);
    if is_last && !is_wanted {
        let _ = fs::write(path, "0");
    }
    let _ = share.relock(FlockArg::Unlock);
}

fn lock(path: &str, kind: FlockArg) -> Result<Flock<File>> {
    step00::lock::lock(Path::new(path), kind)
}

/// Does no launcher share the lock? Only EWOULDBLOCK says that one does: with
/// any other error taken for it, we would switch off what is not ours.
fn is_free(path: &str) -> Result<bool> {
    match lock(path, FlockArg::LockExclusiveNonblock) {
        Ok(_) => Ok(true),
        Err(error) if error.downcast_ref() == Some(&Errno::EWOULDBLOCK) => {
            Ok(false)
        }
        Err(error) => Err(error),
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
pub(crate) fn uplink() -> Result<Option<String>> {
    let mut routes = Proc::own().routes()?.into_iter();
    let interface = routes.find(Route::is_default).map(|r| r.interface);
    Ok(interface.filter(|interface| interface != "*"))
}
