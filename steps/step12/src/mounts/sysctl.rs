//! `linux.sysctl`: files of /proc/sys. Most of them are the machine's, and only
//! those that a namespace has for itself may be set.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use step03::filesystem;

use crate::config::Config;

/// Those of an IPC namespace (ipc_namespaces(7)), beside all of `fs.mqueue.`
const OF_IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// The launcher: has the container each of them for itself?
///
/// # Errors
/// With its name, if not, or if there can be no such file.
pub(super) fn check(config: &Config) -> Result<()> {
    for name in config.linux.sysctl.keys() {
        check_one(config, &dotted(name))
            .with_context(|| format!("linux.sysctl {name:?}"))?;
    }
    Ok(())
}

fn check_one(config: &Config, name: &str) -> Result<()> {
    let mut parts = name.split('.');
    let is_part = |part: &str| !part.is_empty() && !part.contains('\0');
    ensure!(parts.all(is_part), "there is no such parameter");
    let has = |flag| config.namespace(flag).is_some();
    if OF_IPC.contains(&name) || name.starts_with("fs.mqueue.") {
        ensure!(
            has(libc::CLONE_NEWIPC),
            "is not allowed in the host's ipc namespace"
        );
    } else if name.starts_with("net.") {
        ensure!(
            has(libc::CLONE_NEWNET) && !joins_our_network(config)?,
            "is not allowed in the host's network namespace"
        );
    } else if name.starts_with("user.") {
        ensure!(has(libc::CLONE_NEWUSER), "needs a user namespace");
    } else if name == "kernel.domainname" && has(libc::CLONE_NEWUTS) {
    } else if name == "kernel.hostname" && has(libc::CLONE_NEWUTS) {
        bail!("conflicts with the field hostname");
    } else {
        bail!("is not in a separate kernel namespace");
    }
    Ok(())
}

/// A namespace that is joined may be the one that this process is in.
fn joins_our_network(config: &Config) -> Result<bool> {
    let network = config.namespace(libc::CLONE_NEWNET);
    let Some(path) = network.and_then(|it| it.joined()) else {
        return Ok(false);
    };
    let look = |path: &Path| {
        let found = fs::metadata(path);
        let found = found.with_context(|| format!("look at {path:?}"))?;
        anyhow::Ok((found.dev(), found.ino()))
    };
    Ok(look(path)? == look(Path::new("/proc/self/ns/net"))?)
}

/// sysctl(8) takes both: `net.ipv4.conf.eth0/1.forwarding` and
/// `net/ipv4/conf/eth0.1/forwarding`. The first separator says which it is.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'/') => swap(name),
        _ => name.to_owned(),
    }
}

fn swap(name: &str) -> String {
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    name.chars().map(swap).collect()
}

/// Inside: writes them. Whose they are is a matter of who writes, and not of
/// which proc it is, so this is one that nobody has had a hand in.
pub(super) fn write(config: &Config) -> Result<()> {
    if config.linux.sysctl.is_empty() {
        return Ok(());
    }
    let proc = proc()?;
    for (name, value) in &config.linux.sysctl {
        let path = PathBuf::from("sys").join(swap(&dotted(name)));
        write_one(&proc, &path, value).with_context(|| {
            format!("set linux.sysctl {name} to {value:?}")
        })?;
    }
    Ok(())
}

/// A new proc that is mounted nowhere; where that is refused (in a user
/// namespace, with a /proc of which parts are covered) the machine's, which is
/// still there.
fn proc() -> Result<OwnedFd> {
    filesystem::detached("proc", "proc", &[])
        .or_else(|_| Ok(File::open("/proc").context("open /proc")?.into()))
}

fn write_one(proc: &OwnedFd, path: &Path, value: &str) -> Result<()> {
    let how =
        OpenHow::new().flags(OFlag::O_WRONLY | OFlag::O_CLOEXEC).resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_XDEV,
        );
    let mut file = File::from(openat2(proc, path, how)?);
    Ok(file.write_all(value.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(namespaces: &str, name: &str) -> Config {
        let text = format!(
            r#"{{"ociVersion": "1.0.0", "linux": {{
                "namespaces": [{namespaces}], "sysctl": {{"{name}": "1"}}}}}}"#
        );
        serde_json::from_str(&text).expect("a config.json")
    }

    #[test]
    fn only_what_a_namespace_has_for_itself() {
        let (ipc, net) = (r#"{"type": "ipc"}"#, r#"{"type": "network"}"#);
        let (uts, user) = (r#"{"type": "uts"}"#, r#"{"type": "user"}"#);
        let joined = r#"{"type": "network", "path": "/proc/self/ns/net"}"#;
        let check =
            |namespaces, name| check(&config(namespaces, name)).is_ok();
        for (namespace, name) in [
            (ipc, "kernel.shmmax"),
            (ipc, "kernel/shmmax"),
            (ipc, "fs.mqueue.msg_max"),
            (net, "net.ipv4.ip_forward"),
            (net, "net/ipv4/conf/eth0.1/forwarding"),
            (uts, "kernel.domainname"),
            (user, "user.max_user_namespaces"),
        ] {
            assert!(check(namespace, name), "{name}");
            assert!(!check("", name), "{name} without the namespace");
        }
        for (namespace, name) in [
            (joined, "net.ipv4.ip_forward"),
            (uts, "kernel.hostname"),
            (ipc, "kernel.core_pattern"),
            (ipc, "vm.swappiness"),
            (net, "net..ip_forward"),
            (net, "net.."),
            (net, ""),
        ] {
            assert!(!check(namespace, name), "{name}");
        }
    }

    #[test]
    fn both_separators_are_understood() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/1.mtu", "net/ipv4/conf/eth0.1/mtu"),
            ("net/ipv4/conf/eth0.1/mtu", "net/ipv4/conf/eth0.1/mtu"),
        ] {
            assert_eq!(swap(&dotted(name)), path);
        }
    }
}
