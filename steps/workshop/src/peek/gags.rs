//! What it cannot say: system calls, capabilities, labels.

use std::fs;

use serde_json::json;
use step00::Mark;

use super::census::Census;
use super::powers;
use super::proc::Process;
use super::row::Row;
use crate::text::printable;

/// A row for each guard on what it may ask the kernel for.
pub fn look(process: &Process, census: &Census) -> Vec<Row> {
    vec![
        calls(process),
        capabilities(process, census),
        privileges(process),
        label(process),
    ]
}

/// seccomp: mode 1 allows four calls, mode 2 asks one or more filters.
fn calls(process: &Process) -> Row {
    let Ok(mode) = process.status("Seccomp") else {
        return Row::new(Mark::Free, "syscalls", "the kernel cannot filter");
    };
    let count = process.status("Seccomp_filters").ok(); // since Linux 5.9
    let facts = json!({
        "mode": mode.parse::<u32>().ok(),
        "filters": count.as_ref().and_then(|c| c.parse::<u32>().ok()),
    });
    let count = count.unwrap_or_else(|| "?".to_owned());
    let (mark, text) = match mode.as_str() {
        "0" => (Mark::Free, "may ask for any".to_owned()),
        "1" => (Mark::Gagged, "read, write, exit, sigreturn".to_owned()),
        _ => (Mark::Gagged, format!("filtered (filters: {count})")),
    };
    Row::with(mark, "syscalls", text, facts)
}

/// The effective set, and what the bounding set would still let it gain.
///
/// A capability holds in the user namespace that it was given in, and over
/// what belongs to that (user_namespaces(7)).
fn capabilities(process: &Process, census: &Census) -> Row {
    let set = |field| {
        let digits = process.status(field).ok()?;
        u64::from_str_radix(&digits, 16).ok()
    };
    let (Some(effective), Some(bounding)) = (set("CapEff"), set("CapBnd"))
    else {
        return Row::hidden("powers");
    };
    let (held, bound) = (powers::names(effective), powers::names(bounding));
    let missing = powers::missing(effective);
    let apart = census.is_apart(process, "user") && !held.is_empty();
    let over = if apart { ", over what is its own" } else { "" };
    let text = match (held.len(), missing.len()) {
        (0, _) if bound.is_empty() => "no capability, for good".to_owned(),
        (0, _) => format!("no capability (bounded by {})", bound.len()),
        (all, 0) => format!("all {all} capabilities of root{over}"),
        (some, few) if few < some => {
            let missing = missing.join(" ");
            format!("{some} capabilities{over}, all but {missing}")
        }
        (1, _) => format!("1 capability{over}: {}", held[0]),
        (some, _) => {
            format!("{some} capabilities{over}: {}", held.join(" "))
        }
    };
    let facts = json!({ "effective": held, "bounding": bound });
    let mark = if missing.is_empty() { Mark::Free } else { Mark::Gagged };
    Row::with(mark, "powers", text, facts)
}

fn privileges(process: &Process) -> Row {
    let is_set = process.status("NoNewPrivs").is_ok_and(|v| v == "1");
    let facts = json!({ "no_new_privs": is_set });
    let (mark, text) = match is_set {
        false => (Mark::Free, "set-user-ID works"),
        true => (Mark::Gagged, "set-user-ID has no effect"),
    };
    Row::with(mark, "new privs", text, facts)
}

/// What AppArmor, SELinux or Smack call it. The file cannot be read (EINVAL)
/// where none of them is in use.
fn label(process: &Process) -> Row {
    let label = process.read("attr/current").unwrap_or_default();
    let label = printable(label.trim_end_matches(['\n', '\0']));
    let facts = json!({ "label": label });
    let (mark, text) = match label.as_str() {
        "" => (Mark::Free, "none: no security module gives one".to_owned()),
        "unconfined" => (Mark::Free, label),
        // SELinux: no policy is loaded; a type for this; it only complains.
        "kernel" => (Mark::Free, label),
        _ if label.contains(":unconfined_t") => (Mark::Free, label),
        _ if is_permissive() => {
            (Mark::Free, format!("{label}, but SELinux only complains"))
        }
        // AppArmor's words for the same.
        _ if label.ends_with("(complain)") => (Mark::Free, label),
        _ if label.ends_with("(unconfined)") => (Mark::Free, label),
        _ => (Mark::Gagged, label),
    };
    Row::with(mark, "label", text, facts)
}

fn is_permissive() -> bool {
    let enforces = fs::read_to_string("/sys/fs/selinux/enforce");
    enforces.is_ok_and(|enforces| enforces.trim() == "0")
}
