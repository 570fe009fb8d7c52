//! What is left of root's powers, as the kernel reports it.

use anyhow::{Context, Result};
use step00::{Line, Mark, Reader, Subject};

use crate::capabilities::Set;
use crate::{labels, masks};

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, step05::ledger::read,
    step06::ledger::read, step07::ledger::read, step08::ledger::read,
    step09::ledger::read, read,
];

/// Reads the sets, the masks and the label back: proc_pid_status(5),
/// proc_pid_mountinfo(5), proc_pid_attr(5).
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    let mut lines = vec![powers(process)?, new_privileges(process)?];
    lines.extend(user(process)?);
    lines.push(machines_files(process)?);
    let current = labels::current(process);
    let label = process.fact("label");
    if !label.is_empty() {
        lines.push(Line::new(Mark::Gagged, "label", label));
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
    let uid = uids.split_whitespace().nth(1).unwrap_or_default();
    let uid = uid.parse().context("read Uid")?;
    let inside = process.uid_map()?.inside(uid);
    Ok(inside.filter(|&inside| inside != 0).map(|inside| {
        let text = format!("uid {inside} inside, {uid} outside");
        Line::new(Mark::Gagged, "user", text)
    }))
}

fn machines_files(process: &Subject) -> Result<Line> {
    let mounts = process.mounts()?;
    let count = |paths: &[&str]| {
        paths.iter().filter(|path| mounts.at(path).is_some()).count()
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
