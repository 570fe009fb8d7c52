//! `step12 spec`: what step11 would run, in the words of the specification.
//!
//! It is the same container: the flags of the rungs below, with their
//! defaults, as somebody writes them who starts containers by a file.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::unistd::{getegid, geteuid};
use serde_json::{Value, json};
use step00::{Advice, Ending};
use step07::quantities::{Bytes, Cpus, Pids};
use step08::calls::{self, Calls, Rule};
use step10::{capabilities, masks};

use crate::state::OCI_VERSION;

/// The flags of `spec`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// The folder in which to write config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,

    /// For who is not root
    #[arg(long)]
    pub rootless: bool,
}

/// Writes config.json.
///
/// # Errors
/// EEXIST when there is one.
pub fn spec(args: &Args) -> Result<Ending> {
    let path = args.bundle.join("config.json");
    let text = serde_json::to_string_pretty(&config(args.rootless))? + "\n";
    let mut file = File::create_new(&path)
        .with_context(|| format!("make {}", path.display()))
        .advice("move the one that is there, or --bundle DIR")?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("write {}", path.display()))?;
    Ok(Ending::Exited(0))
}

fn config(rootless: bool) -> Value {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdin());
    let kept: Vec<String> = capabilities::DEFAULT
        .split_whitespace()
        .map(|name| format!("CAP_{name}"))
        .collect();
    json!({
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": is_terminal,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:\
                 /sbin:/bin",
                "TERM=xterm",
            ],
            "cwd": "/",
            "capabilities": {
                "bounding": kept,
                "effective": kept,
                "permitted": kept,
            },
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs" },
        "hostname": "box",
        "mounts": mounts(),
        "linux": linux(rootless),
    })
}

fn linux(rootless: bool) -> Value {
    let mut kinds = vec!["uts", "pid", "mount", "network", "ipc", "cgroup"];
    let mut linux = json!({
        "maskedPaths": masks::MASKED,
        "readonlyPaths": masks::READ_ONLY,
        "seccomp": seccomp(),
    });
    if rootless {
        kinds.push("user");
        let map = |id: u32| {
            json!([{
                "containerID": 0, "hostID": id, "size": 1,
            }])
        };
        linux["uidMappings"] = map(geteuid().as_raw());
        linux["gidMappings"] = map(getegid().as_raw());
    } else {
        linux["resources"] = resources();
    }
    let kinds = kinds.iter().map(|kind| json!({ "type": kind }));
    linux["namespaces"] = kinds.collect();
    linux
}

/// The handcuffs of step07.
fn resources() -> Value {
    let period = 100_000;
    let quota = Cpus::ONE.0.map(|cpus| (cpus * f64::from(period)) as i64);
    json!({
        "devices": [{ "allow": false, "access": "rwm" }],
        "memory": {
            "limit": Bytes::DEFAULT_MEMORY.0,
            "swap": Bytes::DEFAULT_MEMORY.0,
        },
        "cpu": { "quota": quota, "period": period },
        "pids": { "limit": Pids::DEFAULT.0 },
    })
}

fn mounts() -> Value {
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc",
          "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
          "options": ["nosuid", "noexec", "mode=755", "size=64k"] },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666",
                      "mode=0620"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777",
                      "size=64m"] },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
          "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs",
          "options": ["nosuid", "noexec", "nodev", "ro"] },
        { "destination": "/sys/fs/cgroup", "type": "cgroup",
          "source": "cgroup",
          "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] },
    ])
}

/// The filter of step08: the same policy, for every architecture at once.
fn seccomp() -> Value {
    let allowed = calls::ALLOWED.iter().flat_map(|it| it.split_whitespace());
    let mut rules = vec![json!({
        "names": allowed.collect::<Vec<_>>(), "action": "SCMP_ACT_ALLOW",
    })];
    for check in calls::CHECKED {
        for args in alternatives(check.arguments) {
            rules.push(json!({
                "names": [check.call],
                "action": "SCMP_ACT_ALLOW",
                "args": args,
            }));
        }
    }
    rules.push(json!({
        "names": [calls::ABSENT],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": libc::ENOSYS,
    }));
    debug_assert!(Calls::default().newest > 0);
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::EPERM,
        "syscalls": rules,
    })
}

/// Conditions of one rule must all hold, so "one of" takes a rule for each.
fn alternatives(arguments: &[(usize, Rule)]) -> Vec<Vec<Value>> {
    // Of an argument the low half counts: the kernel takes no more of it.
    let half = u32::MAX;
    let masked = |index: usize, mask: u32, value: u32| {
        json!({ "index": index, "value": mask, "valueTwo": value,
                "op": "SCMP_CMP_MASKED_EQ" })
    };
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    for &(index, rule) in arguments {
        let choices: Vec<Value> = match rule {
            Rule::NoBitOf(bits) => vec![masked(index, bits, 0)],
            Rule::OneOf(values) => {
                values.iter().map(|&it| masked(index, half, it)).collect()
            }
            Rule::NoneOf(values) => {
                let all_others = outside(values).into_iter();
                all_others.map(|(mask, it)| masked(index, mask, it)).collect()
            }
        };
        let longer = |list: &Vec<Value>| -> Vec<Vec<Value>> {
            let with = |choice: &Value| {
                let mut list = list.clone();
                list.push(choice.clone());
                list
            };
            choices.iter().map(with).collect()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// All numbers but these, as masks and values: for each first bit in which a
/// number can differ from all of them. "Not equal" would not do: it compares
/// 64 bits, and any bit of the upper half makes a number another one
/// (CVE-2019-10063).
fn outside(values: &[u32]) -> Vec<(u32, u32)> {
    let mut rules = Vec::new();
    for bit in (0..u32::BITS).rev() {
        let upper = |value: u32| u64::from(value) >> bit;
        let mut parents: Vec<u64> =
            values.iter().map(|&value| upper(value) >> 1).collect();
        parents.sort_unstable();
        parents.dedup();
        let branches = parents.iter().flat_map(|it| [it << 1, it << 1 | 1]);
        for branch in branches {
            if !values.iter().any(|&value| upper(value) == branch) {
                rules.push((u32::MAX << bit, (branch << bit) as u32));
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_others_are_those_that_are_not_named() {
        let named = [0x5412, 0x541c];
        let rules = outside(&named);
        let passes = |number: u32| {
            rules.iter().any(|(mask, value)| number & mask == *value)
        };
        for number in (0..0x10000).chain([1 << 31, 0xffff_5412, u32::MAX]) {
            assert_eq!(passes(number), !named.contains(&number), "{number:x}");
        }
    }
}
