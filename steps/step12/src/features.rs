//! What this runtime can do, for callers that ask before they ask for it.
//!
//! Docker, containerd and Kubernetes read it once, when they start: whether
//! mounts can be made read-only with all below them (`rro`), and whether there
//! are user namespaces. It tells of the program and not of the machine, where
//! the kernel may still have less (features.md, features-linux.md). Each list
//! is the very one by which config.json is read.

use anyhow::Result;
use serde_json::{Value, json};
use step00::Ending;
use step10::capabilities;

use crate::config::{hooks, namespaces};
use crate::mounts;
use crate::process::memory;
use crate::seccomp::{arch, words};
use crate::state::OCI_VERSION;

/// Prints it.
///
/// # Errors
/// When standard output takes nothing.
pub fn features() -> Result<Ending> {
    step00::print(&format!("{:#}\n", document()))
}

/// The features structure.
pub fn document() -> Value {
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": hooks::KINDS,
        "mountOptions": mounts::option_names(),
        "linux": linux(),
        "annotations": {
            // Callers look for this one: no container is frozen to disk here.
            "org.opencontainers.runc.checkpoint.enabled": "false",
        },
        // None of config.json's changes what is done.
        "potentiallyUnsafeConfigAnnotations": [],
    })
}

fn linux() -> Value {
    let capabilities = capabilities::NAMES.map(|name| format!("CAP_{name}"));
    let capabilities = capabilities.as_slice();
    let flags = names(&words::FLAGS);
    json!({
        "namespaces": names(&namespaces::KINDS),
        "capabilities": capabilities,
        "cgroup": {
            "v1": true,
            "v2": true,
            "systemd": true,
            "systemdUser": false,
            "rdma": true,
        },
        "seccomp": {
            "enabled": true,
            "actions": names(&words::ACTIONS),
            "operators": names(&words::OPERATORS),
            "archs": names(&arch::NAMES),
            "knownFlags": flags,
            "supportedFlags": flags,
        },
        "apparmor": { "enabled": true },
        "selinux": { "enabled": true },
        "memoryPolicy": {
            "modes": names(&memory::MODES),
            "flags": names(&memory::FLAGS),
        },
        "intelRdt": {
            "enabled": false,
            "schemata": false,
            "monitoring": false,
        },
        "mountExtensions": { "idmap": { "enabled": true } },
        "netDevices": { "enabled": true },
    })
}

/// The words of such a list, sorted.
fn names<T>(known: &[(&str, T)]) -> Vec<String> {
    let mut names: Vec<String> =
        known.iter().map(|known| known.0.to_owned()).collect();
    names.sort();
    names
}
