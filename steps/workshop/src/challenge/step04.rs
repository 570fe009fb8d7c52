//! A whiteout of one's own.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result};

use super::Challenge;
use crate::check::scratch::Scratch;
use crate::check::{Attempt, Causes};

/// All of step04.
pub const CHALLENGES: &[Challenge] = &[Challenge::new("hide", hide)];

const CAUSES: &Causes = &[(
    &["unexpected argument"],
    "the rung has no such flag yet: flags.rs, `Args`",
)];

fn hide(attempt: &mut Attempt) -> Result<()> {
    let scratch = Scratch::new()?;
    let image = scratch.copy_image(attempt.binary())?;
    let upper = scratch.join("writes");
    let plain = |path: &'_ Path| path.to_str().map(str::to_owned);
    let flags = [
        "--image",
        &plain(&image).context("a plain path")?,
        "--upper",
        &plain(&upper).context("a plain path")?,
        "--hide",
        "/etc/os-release",
        "--hide",
        "/srv",
    ];
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    let root = format!("/proc/{}/root", running.pid);
    let root = Path::new(&root);
    for name in ["etc/os-release", "srv"] {
        attempt.found(
            &format!("there is no /{name} in there"),
            fs::symlink_metadata(root.join(name)).is_err(),
            "it is there",
            "ENOENT",
            "the whiteout must be in the upper layer before the mount",
        )?;
        attempt.found(
            "and the image still has it",
            fs::symlink_metadata(image.join(name)).is_ok(),
            "it was removed from the image, which others use too",
            "it is there",
            "never write to a lower layer: the upper one is yours",
        )?;
    }
    attempt.found(
        "its neighbours are there",
        root.join("etc/passwd").exists(),
        "no /etc/passwd",
        "the image's /etc/passwd",
        "the folder above was hidden as well, or made opaque",
    )?;
    let left = fs::symlink_metadata(upper.join("upper/etc/os-release"));
    let left = left.map(|it| (it.file_type().is_char_device(), it.rdev()));
    attempt.same(
        "in the upper layer lies a whiteout: a character device 0/0",
        format!("{:?}", left.ok()),
        format!("{:?}", Some((true, 0))),
        "mknod(2) with S_IFCHR and the device number 0",
    )?;
    drop(running);
    let again = attempt.run(&flags, "test ! -e /etc/os-release")?;
    attempt.ended(
        "with the same --upper it works once more",
        &again,
        0,
        CAUSES,
        "EEXIST: it is hidden already",
    )
}
