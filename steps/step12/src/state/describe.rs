//! The state in the words of the specification.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use step00::folder::Folder;

use super::State;

/// The state as the specification has it (runtime.md, "State").
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described<'a> {
    oci_version: &'a str,
    id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    bundle: &'a Path,
    // Beyond the specification, as runc has them.
    rootfs: &'a Path,
    created: &'a str,
    owner: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl State {
    /// The same as JSON, for `state`, for hooks and for a seccomp agent.
    ///
    /// # Errors
    /// For a path that is no UTF-8.
    pub fn describe(&self, status: &str, pid: Option<i32>) -> Result<String> {
        let described = Described {
            oci_version: &self.oci_version,
            id: &self.id,
            status,
            pid,
            bundle: &self.bundle,
            rootfs: &self.rootfs,
            created: &self.created,
            owner: self.owner,
            annotations: &self.annotations,
        };
        Ok(serde_json::to_string_pretty(&described)? + "\n")
    }

    /// As it is at this moment.
    ///
    /// # Errors
    /// As above, and for [`State::status`].
    pub fn describe_now(&self, folder: &Folder) -> Result<String> {
        let status = self.status(folder)?;
        let pid = status.process().map_or(0, |it| it.pid.as_raw());
        self.describe(status.word(), Some(pid))
    }
}
