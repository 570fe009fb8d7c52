//! step10: what makes root powerful, taken away.
//!
//! It gags root: of some forty capabilities a container needs a dozen, and
//! most programs need none. With no_new_privs no program gives any of them
//! back, the machine's own files in /proc and /sys are covered, and a label
//! lets AppArmor or SELinux have a say as well.
//!
//! Interface:
//!
//! - [`privileges`] - the primitive: the five sets, no_new_privs.
//! - [`calls`] - the system calls for it, as Rust sees them.
//! - [`capabilities`] - their names, and which are left.
//! - [`masks`], [`rlimits`], [`labels`] - what else root could use.
//! - [`sealed`], [`keyring`], [`streams`] - the launcher's own program, keys
//!   and folders, out of the container's reach.
//! - [`Args`] - `--cap-add`, `--cap-drop`, `--user`, `--new-privs`,
//!   `--unmask`, `--rlimit`, `--apparmor`, `--selinux-label`.
//! - [`ledger`] - the powers that are left, as the kernel reports them.
//!
//! Still visible: nothing that is not shared on purpose. This is a container
//! in the sense in which Docker uses the word.

#![cfg(target_os = "linux")]
// What an unwritten body does not call yet is not dead.
#![cfg_attr(feature = "exercise", allow(dead_code))]

// The solution, or the learner's (cargo run -p step10 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod privileges;
#[cfg(not(feature = "exercise"))]
pub mod privileges;

pub mod calls;
pub mod capabilities;
pub mod keyring;
pub mod labels;
pub mod masks;
pub mod rlimits;
pub mod sealed;
pub mod streams;

mod ledger;

use anyhow::Result;
use step00::Advice;

use capabilities::{Set, Wanted};
pub use ledger::ledger;

/// The flags of this rung.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "step10: the powers of root")]
#[group(skip)]
pub struct Args {
    /// Leave this capability, or ALL; the names are in capabilities(7)
    #[arg(long, value_name = "NAME", value_parser = capabilities::parse)]
    pub cap_add: Vec<Wanted>,

    /// Take this capability away, or ALL
    #[arg(long, value_name = "NAME", value_parser = capabilities::parse)]
    pub cap_drop: Vec<Wanted>,

    /// Who runs the command, in numbers [default: root inside]
    #[arg(short, long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub user: Option<(u32, u32)>,

    /// Let set-user-ID programs give powers (no no_new_privs)
    #[arg(long)]
    pub new_privs: bool,

    /// Leave the machine's files in /proc and /sys as they are
    #[arg(long)]
    pub unmask: bool,

    /// A limit for each process: nofile=1024:4096, core=0 (getrlimit(2))
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    #[arg(value_parser = rlimits::parse)]
    pub rlimit: Vec<rlimits::Limit>,

    /// The AppArmor profile under which the command runs
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,

    /// The SELinux context in which the command runs
    #[arg(long, value_name = "LABEL")]
    pub selinux_label: Option<String>,
}

/// First of all: keeps back what is the launcher's own, and looks whether the
/// kernel has the labels that are asked for.
pub fn prepare(args: &Args) -> Result<()> {
    keep_back()?;
    labels::check(args)
}

/// Runs from a sealed copy, without the caller's keys, and without a folder
/// that the caller has open as stdin.
pub fn keep_back() -> Result<()> {
    streams::check()?;
    sealed::enter()?;
    keyring::leave()
}

/// Inside, after the pivot, while mount(2) can still be called.
pub fn mask(args: &Args) -> Result<()> {
    match args.unmask {
        true => Ok(()),
        false => masks::put_on(),
    }
}

// ANCHOR: strip
/// Inside, last of all: leaves the powers behind.
///
/// # Errors
/// EPERM when a limit would be raised, EINVAL when the user is not in the map
/// of the user namespace, and when a label is refused.
pub fn strip(args: &Args) -> Result<()> {
    for limit in &args.rlimit {
        limit.set()?;
    }
    let kept = Set::choose(&args.cap_add, &args.cap_drop);
    privileges::limit_bounding(kept)?;
    match args.user.filter(|&(uid, _)| uid != 0) {
        Some((uid, gid)) => {
            // Of root's powers another user has none. But what was asked for
            // by name is to arrive, and then it has to be ambient.
            let asked = Set::choose(&args.cap_add, &[Wanted::ALL]);
            nix::sys::prctl::set_keepcaps(true)?;
            become_user(uid, gid)?;
            privileges::set_capabilities(asked, asked)?;
        }
        None => {
            if let Some((uid, gid)) = args.user {
                become_user(uid, gid)?;
            }
            privileges::set_capabilities(kept, Set::NONE)?;
        }
    }
    if !args.new_privs {
        privileges::forbid_new_privileges()?;
    }
    labels::set(args)
}
// ANCHOR_END: strip

fn become_user(uid: u32, gid: u32) -> Result<()> {
    step06::user::become_user(uid, gid)
        .advice("only users of the map exist in here; see --uid-map")
}

/// Reads `UID[:GID]`; without GID both are the same number.
pub fn parse_user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| {
        let number = text.parse().ok().filter(|&number| number != u32::MAX);
        number.ok_or("write UID or UID:GID, in numbers")
    };
    Ok((number(uid)?, number(gid)?))
}
