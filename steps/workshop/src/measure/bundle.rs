//! The folder from which OCI runtimes (step12, crun, runc) start a container:
//! the root filesystem by its path, and config.json.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// One bundle for `true`, one for `cat`. Removed when this is dropped.
#[derive(Debug)]
pub struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    /// Makes it as `target/measure`.
    ///
    /// # Errors
    /// The folder is not writable.
    pub fn make(target: &Path, root: &str) -> Result<Bundle> {
        let bundle = Bundle { folder: target.join("measure") };
        for command in ["true", "cat"] {
            let folder = bundle.folder(command);
            fs::create_dir_all(&folder)
                .with_context(|| format!("make {}", folder.display()))?;
            let text = config(root, command).to_string();
            fs::write(folder.join("config.json"), text)?;
        }
        Ok(bundle)
    }

    /// The bundle for this command.
    #[must_use]
    pub fn folder(&self, command: &str) -> PathBuf {
        self.folder.join(command)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// step09's blindfolds without the user namespace: Docker's default.
fn config(root: &str, command: &str) -> Value {
    let spaces = ["pid", "network", "ipc", "uts", "mount"];
    let spaces = spaces.map(|kind| json!({ "type": kind }));
    let mount = |point: &str, kind: &str| json!({ "destination": point, "type": kind, "source": kind });
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": [format!("/bin/{command}")],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
            "noNewPrivileges": true,
        },
        "root": { "path": root, "readonly": true },
        "hostname": "box",
        "mounts": [mount("/proc", "proc"), mount("/dev", "tmpfs")],
        "linux": { "namespaces": spaces },
    })
}
