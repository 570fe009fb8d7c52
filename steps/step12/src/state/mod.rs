//! What is known of a container between two commands: a folder below `--root`.
//!
//! - `state.json`: written beside and then renamed, so that it is there whole
//!   or not at all (rename(2));
//! - `config.json`: a copy, since later changes of the bundle are not to count;
//! - `gate`: the FIFO; `words`: why the process could not be executed;
//! - `lock`: for one command at a time.
//!
//! Whether it runs is not written anywhere. The kernel is asked.

mod container;
mod describe;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use step00::Process;
use step00::folder::Folder;

use crate::cgroup::Cgroup;
use crate::gate;

pub use container::{Container, check_id, check_root, find, names};
pub use step11::state::{First, Mounted};

/// The version of the specification that this rung knows.
pub const OCI_VERSION: &str = "1.3.0";

/// What is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// [`OCI_VERSION`], of the program that has written it.
    pub oci_version: String,
    /// What it is called.
    pub id: String,
    /// The folder with its config.json.
    pub bundle: PathBuf,
    /// The folder that is its `/`.
    pub rootfs: PathBuf,
    /// Of config.json.
    pub annotations: BTreeMap<String, String>,
    /// When it was created: RFC 3339.
    pub created: String,
    /// Who has created it, by number.
    pub owner: u32,
    /// Its process; `None` as long as that is being made.
    pub first: Option<First>,
    /// Its group.
    pub cgroup: Cgroup,
    /// Its root, where its mounts do not go with a namespace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounted: Option<Mounted>,
}

/// As the specification calls them (runtime.md, "State"); and one more.
#[derive(Debug)]
pub enum Status {
    /// `create` has not ended, or was killed.
    Creating,
    /// The process waits at the gate.
    Created(Process),
    /// It has executed its program.
    Running(Process),
    /// Its group is frozen.
    Paused(Process),
    /// It is gone.
    Stopped,
}

impl State {
    /// With no process left in there: takes its mounts away.
    ///
    /// # Errors
    /// As for [`Mounted::take_away`].
    pub fn unmount(&self) -> Result<()> {
        self.mounted.as_ref().map_or(Ok(()), Mounted::take_away)
    }

    /// Asks the kernel.
    ///
    /// # Errors
    /// EACCES, EMFILE.
    pub fn status(&self, folder: &Folder) -> Result<Status> {
        let Some(first) = &self.first else { return Ok(Status::Creating) };
        let Some(process) = first.hold()? else { return Ok(Status::Stopped) };
        if gate::look(folder.descriptor())?.is_some() {
            return Ok(Status::Created(process));
        }
        Ok(match self.cgroup.is_frozen() {
            true => Status::Paused(process),
            false => Status::Running(process),
        })
    }
}

impl Status {
    /// The word that the specification has for it.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created(_) => "created",
            Status::Running(_) => "running",
            Status::Paused(_) => "paused",
            Status::Stopped => "stopped",
        }
    }

    /// The process, if there is one.
    pub fn process(&self) -> Option<&Process> {
        match self {
            Status::Created(it) | Status::Running(it) | Status::Paused(it) => {
                Some(it)
            }
            Status::Creating | Status::Stopped => None,
        }
    }
}
