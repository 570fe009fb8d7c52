//! `step11 inspect`: all that is known of a container, as JSON.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use step00::proc::{self, IdMap, Range};
use step00::{Ending, Proc, Process};

use crate::state::{self, State, Status};
use crate::{Names, namespaces};

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

/// What was recorded, and what the kernel says now.
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

/// What the kernel cannot say, as the process has ended, is left empty.
fn look(process: &Process) -> Value {
    let process = Proc::of(process.pid);
    let namespaces: BTreeMap<&str, String> = namespaces::KINDS
        .iter()
        .filter_map(|(kind, _)| Some((*kind, process.namespace(kind).ok()?)))
        .collect();
    let read = |file: &str| {
        let text = process.read(file).unwrap_or_default();
        text.trim_end().to_owned()
    };
    // One reading: all of it is of one moment.
    let status = read("status");
    let field = |name: &str| proc::field(&status, name);
    let ranges = |file: &str| -> Vec<String> {
        let map = IdMap::parse(&read(file));
        map.0.iter().map(Range::to_string).collect()
    };
    json!({
        "namespaces": namespaces,
        "uid_map": ranges("uid_map"),
        "gid_map": ranges("gid_map"),
        "cgroup": read("cgroup").lines().collect::<Vec<_>>(),
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
