//! How long a packet may be.

use std::fs;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::Challenge;
use crate::check::{Attempt, Causes, outside};

/// All of step05.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("mtu", mtu)];

const CAUSES: &Causes = &[
    (
        &["unexpected argument"],
        "the rung has no such flag yet: flags.rs, `Args`",
    ),
    (
        &["EINVAL"],
        "the kernel does not understand the attribute: IFLA_MTU is 4, and \
         its value four bytes, in the machine's own order",
    ),
];

fn mtu(attempt: &mut Attempt) -> Result<()> {
    let Some(running) = attempt.start(&["--mtu", "1300"], "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "eth0 sends packets of 1300 bytes at most",
        mtu_of(running.pid, "eth0")?,
        "1300",
        "RTM_NEWLINK with the attribute IFLA_MTU, for eth0 inside",
    )?;
    let loopback = mtu_of(running.pid, "lo")?;
    attempt.same(
        "and lo is as it was",
        loopback,
        "65536",
        "the request must name the interface by its number: index_of",
    )?;
    drop(running);
    let Some(running) = attempt.start(&[], "", CAUSES)? else {
        return Ok(());
    };
    attempt.same(
        "without the flag it is as a veth is born",
        mtu_of(running.pid, "eth0")?,
        "1500",
        "only where the flag is given is there anything to set",
    )
}

/// A sysfs shows the interfaces of the network namespace of whoever mounts it.
fn mtu_of(pid: i32, interface: &str) -> Result<String> {
    let file = format!("/sys/class/net/{interface}/mtu");
    outside::within(pid, "net", move || {
        unshare(CloneFlags::CLONE_NEWNS).context("have our own mounts")?;
        let none = None::<&str>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).context("keep them to us")?;
        let sysfs = Some("sysfs");
        mount(sysfs, "/sys", sysfs, MsFlags::empty(), none)
            .context("mount a sysfs")?;
        let read = fs::read_to_string(&file);
        Ok(read.with_context(|| format!("read {file}"))?.trim().to_owned())
    })
}
