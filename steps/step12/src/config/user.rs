//! As whom the process runs: by numbers, since the kernel knows no names.

use serde::Deserialize;

/// Numbers as they are inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user.
    #[serde(default)]
    pub uid: u32,
    /// The group.
    #[serde(default)]
    pub gid: u32,
    /// What is taken off the modes of new files: umask(2).
    pub umask: Option<u32>,
    /// The groups beside.
    #[serde(default)]
    pub additional_gids: Vec<u32>,
}
