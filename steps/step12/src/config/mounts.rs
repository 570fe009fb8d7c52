//! The root filesystem, what is mounted in it, and which devices it has.

use std::path::PathBuf;

use serde::Deserialize;

use super::namespaces::IdMapping;

/// The folder that becomes `/`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Root {
    /// Absolute, or from the bundle on.
    pub path: PathBuf,
    /// Is nothing in it to be changed?
    #[serde(default)]
    pub readonly: bool,
}

/// A line of the mount table, to be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where, in the container.
    pub destination: PathBuf,
    /// A filesystem: `proc`, `tmpfs` … For a bind mount it says nothing.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// A folder or file of the machine, a device, or any word.
    pub source: Option<PathBuf>,
    /// As after `-o` of mount(8).
    #[serde(default)]
    pub options: Vec<String>,
    /// Which users the owners on the disk are shown as.
    #[serde(default)]
    pub uid_mappings: Vec<IdMapping>,
    /// The same for groups.
    #[serde(default)]
    pub gid_mappings: Vec<IdMapping>,
}

/// A device node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Where, in the container.
    pub path: PathBuf,
    /// `c` or `u` for characters, `b` for blocks, `p` for a pipe.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of the driver.
    #[serde(default)]
    pub major: i64,
    /// The number of the device that it drives.
    #[serde(default)]
    pub minor: i64,
    /// Who may open it, 0666 where it is not said.
    pub file_mode: Option<u32>,
    /// Its owner, in the container.
    pub uid: Option<u32>,
    /// Its group, in the container.
    pub gid: Option<u32>,
}

/// An interface of the machine's that becomes the container's.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NetDevice {
    /// Its name in there, if that is to be another one.
    pub name: Option<String>,
}
