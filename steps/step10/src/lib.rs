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
//! - [`sealed`], [`keyring`] - the launcher's own program and keys, out of the
//!   container's reach.
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

use anyhow::Result;
use step00::{Advice, Line, Mark, Subject};

use capabilities::{Set, Wanted};

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

/// First of all: runs from a sealed copy, without the caller's keys, and looks
/// whether the kernel has the labels that are asked for.
pub fn prepare(args: &Args) -> Result<()> {
    sealed::enter()?;
    keyring::leave()?;
    labels::check(args)
}

/// Inside, after the pivot, while mount(2) can still be called.
pub fn mask(args: &Args) -> Result<()> {
    match args.unmask {
        true => Ok(()),
        false => masks::put_on(),
    }
}

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

fn become_user(uid: u32, gid: u32) -> Result<()> {
    step06::user::become_user(uid, gid)
        .advice("only users of the map exist in here; see --uid-map")
}

/// Reads the sets, the masks and the label back: proc_pid_status(5),
/// proc_pid_mountinfo(5), proc_pid_attr(5).
pub fn ledger(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = vec![powers(process)?, new_privileges(process)?];
    lines.extend(user(process)?);
    lines.push(machines_files(process)?);
    let current = labels::current(process);
    if !process.label.is_empty() {
        lines.push(Line::new(Mark::Gagged, "label", &*process.label));
    } else if !current.is_empty() {
        lines.push(Line::new(Mark::Free, "label", current));
    }
    Ok(lines)
}

/// The effective set. A newer kernel may have more than we have names for.
fn powers(process: &Subject) -> Result<Line> {
    let set = |field| {
        let bits = process.status(field)?;
        Result::<_>::Ok(Set(u64::from_str_radix(&bits, 16)?))
    };
    let (effective, bounding) = (set("CapEff")?, set("CapBnd")?);
    let count = |set: Set| set.numbers().count();
    let all = count(Set::ALL);
    if effective & Set::ALL == Set::ALL {
        let text = format!("all {} capabilities of root", count(effective));
        return Ok(Line::new(Mark::Free, "powers", text));
    }
    let text = match effective {
        Set::NONE => {
            format!("no capability of {all} (bounded by {})", count(bounding))
        }
        set => format!(
            "{} of {all} capabilities:\n{}",
            count(set),
            fold(&set.to_string())
        ),
    };
    Ok(Line::new(Mark::Gagged, "powers", text))
}

fn new_privileges(process: &Subject) -> Result<Line> {
    Ok(match process.status("NoNewPrivs")?.as_str() {
        "0" => Line::new(Mark::Free, "new privs", "set-user-ID works"),
        _ => Line::new(Mark::Gagged, "new privs", "set-user-ID has no effect"),
    })
}

/// Only worth a line when it is not root: of the four numbers in the field the
/// second is the effective one, as outside knows it.
fn user(process: &Subject) -> Result<Option<Line>> {
    let uids = process.status("Uid")?;
    let uid = uids.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let map = process.read("uid_map")?;
    let mut lines = map.lines().map(|line| {
        line.split_whitespace()
            .filter_map(|number| number.parse::<u64>().ok())
            .collect::<Vec<_>>()
    });
    let number: u64 = uid.parse()?;
    let inside = lines.find_map(|line| {
        let range = line[1]..line[1] + line[2];
        range.contains(&number).then(|| line[0] + number - line[1])
    });
    Ok(inside.filter(|&inside| inside != 0).map(|inside| {
        let text = format!("uid {inside} inside, {uid} outside");
        Line::new(Mark::Gagged, "user", text)
    }))
}

fn machines_files(process: &Subject) -> Result<Line> {
    let mounts = process.read("mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let points: Vec<&str> = points.collect();
    let count = |paths: &[&str]| {
        paths.iter().filter(|path| points.contains(path)).count()
    };
    let masked = count(&masks::MASKED);
    let fixed = count(&masks::READ_ONLY);
    let text = format!("/proc, /sys: {masked} masked, {fixed} read-only");
    Ok(match masked + fixed {
        0 => Line::new(Mark::Free, "settings", "/proc and /sys as they are"),
        _ => Line::new(Mark::Gagged, "settings", text),
    })
}

/// Breaks a list of words into lines that fit beside the ledger's subjects.
fn fold(words: &str) -> String {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let last = lines.last().map_or(0, String::len);
        if last + word.len() >= 60 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
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
