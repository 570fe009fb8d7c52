//! Programs that are run beside, each at its own moment.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde::Deserialize;

/// The six moments (config.md, "POSIX-platform Hooks").
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// In `create`, on the machine's side: the older name of the next.
    #[serde(default)]
    pub prestart: Vec<Hook>,
    /// In `create`, on the machine's side, before the pivot.
    #[serde(default)]
    pub create_runtime: Vec<Hook>,
    /// In `create`, in the container's namespaces, before the pivot.
    #[serde(default)]
    pub create_container: Vec<Hook>,
    /// In `start`, inside, just before the process executes its program.
    #[serde(default)]
    pub start_container: Vec<Hook>,
    /// In `start`, on the machine's side, after that.
    #[serde(default)]
    pub poststart: Vec<Hook>,
    /// In `delete`, on the machine's side.
    #[serde(default)]
    pub poststop: Vec<Hook>,
}

/// One program.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Hook {
    /// Where it is.
    pub path: PathBuf,
    /// Its arguments, its own name first.
    #[serde(default)]
    pub args: Vec<String>,
    /// The whole of its environment; without it, that of who runs it.
    pub env: Option<Vec<String>>,
    /// After so many seconds it is killed.
    pub timeout: Option<i64>,
}

/// Their names, in the order in which they come.
pub const KINDS: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

impl Hooks {
    /// # Errors
    /// For a path that depends on who looks, and for a time that is none.
    pub(crate) fn check(&self) -> Result<()> {
        let all = [
            &self.prestart,
            &self.create_runtime,
            &self.create_container,
            &self.start_container,
            &self.poststart,
            &self.poststop,
        ];
        for (kind, hooks) in KINDS.into_iter().zip(all) {
            for hook in hooks {
                ensure!(
                    hook.path.is_absolute(),
                    "hooks.{kind}: path must be absolute, and is {:?}",
                    hook.path
                );
                ensure!(
                    hook.timeout.is_none_or(|seconds| seconds > 0),
                    "hooks.{kind}: timeout must be greater than zero"
                );
                let texts = hook.args.iter().chain(hook.env.iter().flatten());
                for text in texts {
                    ensure!(
                        !text.contains('\0'),
                        "hooks.{kind} has a zero byte in a text"
                    );
                }
            }
        }
        Ok(())
    }
}
