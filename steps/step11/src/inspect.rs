//! `step11 inspect`: all that is known of a container, as JSON.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use step00::proc::{self, IdMap, Range};
use step00::{Ending, Proc, Process};

use crate::commands::template::Template;
use crate::state::{self, State, Status};
use crate::{Names, namespaces};

/// The flags of `inspect`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub which: Names,

    /// Print only this of each: {{.State.Status}}, {{.address}}, {{json .}}
    #[arg(short, long, value_name = "TEMPLATE")]
    #[arg(value_parser = Template::parse)]
    pub format: Option<Template>,
}

/// Prints a list, with an object for each; or a line for each.
///
/// # Errors
/// When there is none of that name, or nothing of that name in it.
pub fn inspect(args: &Args) -> Result<Ending> {
    if let Some(template) = &args.format {
        return args.which.each_silently(|name| {
            let line = template.fill(&describe(&state::read(name)?)?)?;
            step00::print(&(line + "\n")).map(drop)
        });
    }
    let look = |name: &String| describe(&state::read(name)?);
    let all: Vec<Value> =
        args.which.names.iter().map(look).collect::<Result<_>>()?;
    step00::print(&(serde_json::to_string_pretty(&all)? + "\n"))
}

/// What was recorded, and what the kernel says now.
fn describe(state: &State) -> Result<Value> {
    let mut value = serde_json::to_value(state)?;
    let status = state.status();
    value["status"] = json!(status.word());
    value["restarts"] = json!(state.restarts);
    value["State"] = in_dockers_words(&status);
    value["NetworkSettings"] = json!({"IPAddress": state.address});
    if let Some(process) = status.process() {
        value["kernel"] = look(process);
    }
    Ok(value)
}

/// What is asked for most, under the names by which `docker inspect` has it.
fn in_dockers_words(status: &Status) -> Value {
    let ended = match status {
        Status::Exited(ended) => Some(ended),
        _ => None,
    };
    let pid = status.process().map(|process| process.pid.as_raw());
    json!({
        "Status": status.word(),
        "Running": pid.is_some(),
        "Paused": matches!(status, Status::Paused(_)),
        "OOMKilled": ended.is_some_and(|ended| ended.oom_killed),
        "Pid": pid.unwrap_or(0),
        "ExitCode": ended.map(|ended| ended.status),
    })
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
