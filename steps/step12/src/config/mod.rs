//! config.json, as the OCI runtime specification has it.
//!
//! Another program has written it, and it is not to be trusted: what it names
//! is checked where it is used. Unknown properties are ignored, as the
//! specification demands; what is known and cannot be done is an error.
//!
//! - [`Config`] - the whole file; [`Process`] - what is executed.
//! - [`namespaces`] - the blindfolds.
//! - [`mounts`], [`resources`], [`seccomp`], [`process`] - the rest.

pub mod hooks;
pub mod mounts;
pub mod namespaces;
pub mod process;
pub mod resources;
pub mod seccomp;
pub mod user;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::hooks::Hooks;
use self::namespaces::{IdMapping, Namespace, TimeOffset};
use self::user::User;

/// No more of a file is read, in bytes: Kubernetes writes some kilobytes.
const LARGEST: u64 = 16 << 20;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The version of the specification that it was written for.
    pub oci_version: String,
    /// What is executed.
    pub process: Option<Process>,
    /// The folder that becomes `/`.
    pub root: Option<mounts::Root>,
    /// The UTS namespace's name of the machine.
    pub hostname: Option<String>,
    /// Its other name, of NIS.
    pub domainname: Option<String>,
    /// What is mounted in there, in this order.
    #[serde(default)]
    pub mounts: Vec<mounts::Mount>,
    /// Programs to be run beside.
    #[serde(default)]
    pub hooks: Hooks,
    /// Words for others, kept in the state.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// All that only Linux has.
    #[serde(default)]
    pub linux: Linux,
}

/// What is executed, as whom, and with which powers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Does it get a terminal of its own?
    #[serde(default)]
    pub terminal: bool,
    /// The size of that, in characters.
    pub console_size: Option<Size>,
    /// As whom it runs.
    #[serde(default)]
    pub user: User,
    /// The program and its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// `KEY=VALUE`.
    #[serde(default)]
    pub env: Vec<String>,
    /// The folder in which it starts.
    #[serde(default)]
    pub cwd: String,
    /// The five sets; without them it has none.
    pub capabilities: Option<process::Capabilities>,
    /// The limits of getrlimit(2).
    #[serde(default)]
    pub rlimits: Vec<process::Rlimit>,
    /// Shall execve(2) give no powers?
    #[serde(default)]
    pub no_new_privileges: bool,
    /// A profile that is loaded.
    pub apparmor_profile: Option<String>,
    /// A context of SELinux.
    pub selinux_label: Option<String>,
    /// How soon the OOM killer takes it: proc_pid_oom_score_adj(5).
    pub oom_score_adj: Option<i32>,
    /// How it gets the CPU: sched_setattr(2).
    pub scheduler: Option<process::Scheduler>,
    /// How it gets the disk: ioprio_set(2).
    pub io_priority: Option<process::IoPriority>,
    /// On which CPUs `exec` starts it.
    #[serde(rename = "execCPUAffinity")]
    pub exec_cpu_affinity: Option<process::ExecCpuAffinity>,
}

/// Of a terminal, in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Size {
    /// Lines.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

/// All that only Linux has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Linux {
    /// The blindfolds: those to be made, and those to be joined.
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
    /// The users of a new user namespace.
    #[serde(default)]
    pub uid_mappings: Vec<IdMapping>,
    /// Its groups.
    #[serde(default)]
    pub gid_mappings: Vec<IdMapping>,
    /// The clocks of a new time namespace: `boottime`, `monotonic`.
    #[serde(default)]
    pub time_offsets: BTreeMap<String, TimeOffset>,
    /// Devices beside those that every container has.
    #[serde(default)]
    pub devices: Vec<mounts::Device>,
    /// Interfaces of the machine that become the container's.
    #[serde(default)]
    pub net_devices: BTreeMap<String, mounts::NetDevice>,
    /// Its group.
    pub cgroups_path: Option<String>,
    /// What the group may use.
    pub resources: Option<resources::Resources>,
    /// `private`, `slave`, `shared`, `unbindable`: mount_namespaces(7).
    pub rootfs_propagation: Option<String>,
    /// Which system calls it may make.
    pub seccomp: Option<seccomp::Seccomp>,
    /// Files of /proc/sys that a namespace has for itself.
    #[serde(default)]
    pub sysctl: BTreeMap<String, String>,
    /// Paths that are covered.
    #[serde(default)]
    pub masked_paths: Vec<String>,
    /// Paths that cannot be written to.
    #[serde(default)]
    pub readonly_paths: Vec<String>,
    /// The context of SELinux for what is mounted.
    pub mount_label: Option<String>,
    /// How the kernel answers to some calls: personality(2).
    pub personality: Option<process::Personality>,
    /// From which memory it is served: set_mempolicy(2).
    pub memory_policy: Option<process::MemoryPolicy>,
    /// Resources that Intel's processors share out; see [`Config::check`].
    pub intel_rdt: Option<Value>,
}

impl Config {
    /// Reads what is in the file.
    ///
    /// # Errors
    /// When it is not JSON, or a property is of another type, with its name.
    pub fn parse(text: &[u8]) -> Result<Config> {
        let mut config: Config = parse(text)?;
        config.forget_old_zero();
        Ok(config)
    }

    /// Up to version 1.2 the limit of linux.resources.pids could not be left
    /// out, and who wanted none wrote 0; since 1.3 a 0 is a limit.
    fn forget_old_zero(&mut self) {
        let is_old =
            matches!(numbers(&self.oci_version)[..], [Some(1), Some(..3), _]);
        let resources = self.linux.resources.as_mut();
        let pids = resources.and_then(|it| it.pids.as_mut());
        if let Some(pids) = pids.filter(|it| is_old && it.limit == Some(0)) {
            pids.limit = None;
        }
    }

    /// Is there something in it that cannot be done?
    ///
    /// # Errors
    /// Then, with the name of the property.
    pub fn check(&self) -> Result<()> {
        check_version(&self.oci_version)?;
        if self.linux.intel_rdt.as_ref().is_some_and(|it| !it.is_null()) {
            bail!("linux.intelRdt is not supported");
        }
        namespaces::check(self)?;
        crate::launcher::network::check(&self.linux.net_devices)?;
        self.hooks.check()?;
        self.process.as_ref().map_or(Ok(()), Process::check)
    }
}

impl Process {
    /// Reads one that is to be executed in a container that runs.
    ///
    /// # Errors
    /// As for [`Config::parse`], and for open(2).
    pub fn read(path: &Path) -> Result<Process> {
        let process: Process = read(path)?;
        process.check()?;
        Ok(process)
    }

    /// # Errors
    /// For what the specification demands and is not there.
    pub(crate) fn check(&self) -> Result<()> {
        let first = self.args.first().map_or("", String::as_str);
        ensure!(!first.is_empty(), "process.args must not be empty");
        ensure!(!self.cwd.is_empty(), "process.cwd must not be empty");
        ensure!(
            Path::new(&self.cwd).is_absolute(),
            "process.cwd must be an absolute path, and is {:?}",
            self.cwd
        );
        let texts = self.args.iter().chain(&self.env).chain([&self.cwd]);
        for text in texts {
            ensure!(!text.contains('\0'), "process has a zero byte in a text");
        }
        Ok(())
    }
}

/// Major version 1 is what this rung knows. A later minor version only adds.
fn check_version(version: &str) -> Result<()> {
    match numbers(version)[..] {
        [Some(1), Some(_), Some(_)] => Ok(()),
        _ => bail!("ociVersion {version:?} is not supported: 1.x.y is"),
    }
}

/// The numbers of a version, without what follows them.
fn numbers(version: &str) -> Vec<Option<u32>> {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    numbers.split('.').map(|part| part.parse().ok()).collect()
}

/// Reads a file of JSON. Go writes `null` for what is not there, so that is
/// taken for the same.
///
/// # Errors
/// When it is not JSON, or a property is of another type, with its name.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    parse(&read_limited(path)?)
        .with_context(|| format!("read {}", path.display()))
}

/// The same for what has been read.
///
/// # Errors
/// As above.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let mut value: Value = serde_json::from_slice(text)?;
    drop_nulls(&mut value);
    Ok(serde_path_to_error::deserialize(value)?)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A plain file, and not a pipe or a device, which could go on for ever.
pub(crate) fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let open = || -> Result<Vec<u8>> {
        let file = File::open(path)?;
        ensure!(file.metadata()?.is_file(), "it is no plain file");
        let mut text = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut text)?;
        ensure!(
            text.len() as u64 <= LARGEST,
            "it is larger than {LARGEST} bytes"
        );
        Ok(text)
    };
    open().with_context(|| format!("open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_is_no_limit_where_nothing_could_be_left_out() {
        let limit = |version, limit: i64| {
            let pids = resources::Pids { limit: Some(limit) };
            let some = resources::Resources {
                pids: Some(pids),
                ..Default::default()
            };
            let linux = Linux { resources: Some(some), ..Default::default() };
            let oci_version = String::from(version);
            let mut config =
                Config { oci_version, linux, ..Default::default() };
            config.forget_old_zero();
            config.linux.resources.and_then(|it| it.pids?.limit)
        };
        for old in ["1.0.0", "1.0.2-dev", "1.2.1"] {
            assert_eq!(limit(old, 0), None, "{old}");
            assert_eq!(limit(old, 7), Some(7), "{old}");
        }
        for new in ["1.3.0", "1.10.0", "1.3.0+dev"] {
            assert_eq!(limit(new, 0), Some(0), "{new}");
        }
    }
}
