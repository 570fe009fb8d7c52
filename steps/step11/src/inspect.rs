//! `step11 inspect`: all that is known of a container, as JSON.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;
use serde_json::{Value, json};
use step00::{Ending, Process};

use crate::state::{self, State, Status};
use crate::{Names, walls};

/// Prints a list, with an object for each.
///
/// # Errors
/// When there is none of that name.
pub fn inspect(args: &Names) -> Result<Ending> {
    let look = |name: &String| describe(&state::read(name)?);
    let all: Vec<Value> =
        args.names.iter().map(look).collect::<Result<_>>()?;
    step00::print(&(serde_json::to_string_pretty(&all)? + "\n"))
}

/// What was written down, and what the kernel says now.
fn describe(state: &State) -> Result<Value> {
    let mut value = serde_json::to_value(state)?;
    let status = state.status();
    value["status"] = match &status {
        Status::Running(_) => json!("running"),
        Status::Exited(_) => json!("exited"),
        Status::Ending => json!("ending"),
        Status::Lost => json!("lost"),
        Status::Unknown(_) => json!("unknown"),
    };
    if let Status::Running(process) = &status {
        value["kernel"] = look(process);
    }
    Ok(value)
}

/// Whatever has ended in the meantime is left out.
fn look(process: &Process) -> Value {
    let pid = process.pid.to_string();
    let namespaces: BTreeMap<&str, String> = walls::KINDS
        .iter()
        .filter_map(|(kind, _)| {
            Some((*kind, walls::namespace(&pid, kind).ok()?))
        })
        .collect();
    let read = |file: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}"));
        text.unwrap_or_default().trim_end().to_owned()
    };
    let status = read("status");
    let field = |name: &str| {
        let mut fields =
            status.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let lines = |file: &str| -> Vec<String> {
        let text = read(file);
        let fold =
            |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(fold).collect()
    };
    json!({
        "namespaces": namespaces,
        "uid_map": lines("uid_map"),
        "gid_map": lines("gid_map"),
        "cgroup": lines("cgroup"),
        "capabilities": {
            "effective": field("CapEff"),
            "permitted": field("CapPrm"),
            "inheritable": field("CapInh"),
            "ambient": field("CapAmb"),
            "bounding": field("CapBnd"),
        },
        "seccomp": field("Seccomp"),
        "no_new_privs": field("NoNewPrivs"),
        "label": read("attr/current"),
    })
}
