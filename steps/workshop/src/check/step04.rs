//! step04: an overlay mount.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::scratch::Scratch;
use super::{Attempt, Causes, outside};

const CAUSES: &Causes = &[
    (
        &["mount an overlay", "ENOENT"],
        "a folder of the options is not found: chdir(2) to `folder` comes \
         first, the names are relative to it",
    ),
    (
        &["mount an overlay", "EINVAL"],
        "the options are not what overlayfs wants: lowerdir=TOP:…:LOWEST, \
         upperdir= and workdir=, with commas between",
    ),
    (
        &["Read-only file system"],
        "without upperdir= and workdir= an overlay is read-only",
    ),
    (&["EROFS"], "without upperdir= and workdir= an overlay is read-only"),
    (&["unmounted", "ENOENT"], "mount it on \"merged\", in `folder`"),
];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    // A copy: a rung that writes to the image must not write to the real one.
    let scratch = Scratch::new()?;
    let image = scratch.copy_image(attempt.binary())?;
    let flags = ["--image", image.to_str().context("a plain path")?];
    let script = "echo written >/checked; rm /etc/os-release; true";
    let started = attempt.start(&flags, script, CAUSES)?;
    let Some(running) = started else { return Ok(()) };
    let mount = outside::mount_at(running.pid, "/");
    attempt.same(
        "its / is an overlay",
        mount.map(|mount| mount.kind).unwrap_or_default(),
        "overlay",
        "`mount_overlay` must mount the type overlay on \"merged\"",
    )?;
    attempt.found(
        "what it has written shows in there",
        Path::new(&format!("/proc/{}/root/checked", running.pid)).exists(),
        "no file /checked",
        "the file that the script wrote",
        "without upperdir= and workdir= an overlay is read-only",
    )?;
    attempt.found(
        "and not in the image, which others use too",
        !image.join("checked").exists()
            && image.join("etc/os-release").exists(),
        "the image was changed",
        "the image as it was",
        "the image must be a lower layer, and nothing is ever bound to it",
    )?;
    drop(running);
    layers(attempt, &image, &scratch)
}

/// Two layers that disagree.
fn layers(
    attempt: &mut Attempt,
    image: &Path,
    scratch: &Scratch,
) -> Result<()> {
    let mut flags = vec!["--image".to_owned(), image.display().to_string()];
    for (name, text) in [("lower", "from the lower"), ("top", "from the top")]
    {
        let layer = scratch.join(name);
        fs::create_dir_all(&layer).context("make a layer")?;
        fs::write(layer.join("layer"), text).context("fill a layer")?;
        flags.extend(["--image".to_owned(), layer.display().to_string()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let report = attempt.run(&flags, "cat /layer")?;
    attempt.printed(
        "of two layers with the same file, the last --image is seen",
        &report,
        "from the top",
        CAUSES,
        "`lowers` has the lowest layer first, lowerdir= wants the top one \
         first: reverse it",
    )
}
