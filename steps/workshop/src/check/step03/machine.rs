//! The machine's mounts, which are to be as they were, and one of ours.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use step00::Proc;
use step00::proc::Mount;

use super::mistakes;
use super::steps::Step;
use crate::check::{Attempt, outside};

/// Where something is mounted below the new root.
pub(super) const BELOW: &str = "/workshop-check";

/// What is mounted there, as long as this lives.
pub(super) struct Below(PathBuf);

impl Below {
    pub(super) fn new(folder: PathBuf) -> Result<Below> {
        std::fs::create_dir_all(&folder).context("make a folder")?;
        let none = None::<&str>;
        let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
        mount(none, &folder, kind, flags, none)
            .context("mount something below the new root")?;
        Ok(Below(folder))
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        // It may be gone with the machine's mounts.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// What has become of our own mounts, which were shared.
pub(super) fn lost(
    attempt: &mut Attempt,
    before: &[String],
    after: &[String],
    steps: &[Step],
) -> Result<()> {
    let gone = before.iter().filter(|point| !after.contains(point));
    let gone = gone.map(|point| format!("{point} is gone"));
    let new = after.iter().filter(|point| !before.contains(point));
    let new = new.map(|point| format!("{point} is new"));
    let changes: Vec<String> = gone.chain(new).take(5).collect();
    let mistake = match mistakes::all_are_shared(steps) {
        true => mistakes::SHARED,
        false => {
            "`make_private` left some of them shared (MS_REC means those \
             below / as well), and what is unmounted here was unmounted there"
        }
    };
    if changes.is_empty() {
        return Ok(());
    }
    attempt.same(
        "the machine's own mounts are as they were",
        changes.join(", "),
        "",
        mistake,
    )
}

/// What a process has mounted where.
pub(super) fn points(proc: &Proc) -> Vec<String> {
    outside::mounts(proc).iter().map(point).collect()
}

pub(super) fn point(mount: &Mount) -> String {
    mount.point.display().to_string()
}
