//! A folder in memory.

use std::path::Path;

use anyhow::{Context, Result};

use super::Challenge;
use crate::check::scratch::Scratch;
use crate::check::{Attempt, Causes, outside};

/// All of step03.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("tmpfs", tmpfs)];

const CAUSES: &Causes = &[
    (
        &["unexpected argument"],
        "the rung has no such flag yet: flags.rs, `Args`",
    ),
    (&["ENOENT"], "the image has no such folder: it has to be made first"),
];

fn tmpfs(attempt: &mut Attempt) -> Result<()> {
    // The rung writes into its root directory: not into the learner's.
    let scratch = Scratch::new()?;
    let image = scratch.copy_image(attempt.binary())?;
    let image = image.to_str().context("a plain path")?;
    let flags =
        ["--rootfs", image, "--tmpfs", "/mnt", "--tmpfs", "/new/folder"];
    let script = "echo written >/mnt/made";
    let Some(running) = attempt.start(&flags, script, CAUSES)? else {
        return Ok(());
    };
    let pid = running.pid;
    for point in ["/mnt", "/new/folder"] {
        let mount = outside::mount_at(pid, point);
        attempt.same(
            &format!("a tmpfs is mounted on its {point}"),
            mount.as_ref().map_or("nothing", |mount| &mount.kind),
            "tmpfs",
            "mount(2), with \"tmpfs\" as source and type, for each flag",
        )?;
        let options = mount.map(|mount| mount.options).unwrap_or_default();
        let has = |flag: &str| options.iter().any(|option| option == flag);
        attempt.found(
            "with nosuid and nodev",
            has("nosuid") && has("nodev"),
            options.join(","),
            "nosuid,nodev",
            "MS_NOSUID and MS_NODEV: a folder to write in needs neither",
        )?;
    }
    let made = |root: &str| Path::new(root).join("mnt/made").exists();
    attempt.found(
        "what is written there can be read there",
        made(&format!("/proc/{pid}/root")),
        "no file /mnt/made",
        "the file that the command wrote",
        "something else was mounted over it",
    )?;
    attempt.found(
        "and it is not in the folder outside",
        !made(image),
        "the file is in the root filesystem's folder",
        "no such file there",
        "the mount must be there before the command is executed",
    )
}
