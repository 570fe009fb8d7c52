//! step04: an overlay mount.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::room::Room;
use super::{Causes, Trial, outside};

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
pub fn look(trial: &mut Trial) -> Result<()> {
    // A copy: a rung that writes to the image must not write to the real one.
    let room = Room::new()?;
    let image = room.copy_image(trial.binary())?;
    let flags = ["--image", image.to_str().context("a plain path")?];
    let script = "echo written >/checked; rm /etc/os-release; true";
    let started = trial.start(&flags, script, CAUSES)?;
    let Some(scene) = started else { return Ok(()) };
    let mount = outside::mount_at(scene.pid, "/");
    trial.same(
        "its / is an overlay",
        mount.map(|mount| mount.kind).unwrap_or_default(),
        "overlay",
        "`mount_overlay` must mount the type overlay on \"merged\"",
    )?;
    trial.found(
        "what it has written shows in there",
        Path::new(&format!("/proc/{}/root/checked", scene.pid)).exists(),
        "no file /checked",
        "the file that the script wrote",
        "without upperdir= and workdir= an overlay is read-only",
    )?;
    trial.found(
        "and not in the image, which others use too",
        !image.join("checked").exists()
            && image.join("etc/os-release").exists(),
        "the image was changed",
        "the image as it was",
        "the image must be a lower layer, and nothing is ever bound to it",
    )?;
    drop(scene);
    layers(trial, &image, &room)
}

/// Two layers that disagree.
fn layers(trial: &mut Trial, image: &Path, room: &Room) -> Result<()> {
    let mut flags = vec!["--image".to_owned(), image.display().to_string()];
    for (name, text) in [("lower", "from the lower"), ("top", "from the top")]
    {
        let layer = room.join(name);
        fs::create_dir_all(&layer).context("make a layer")?;
        fs::write(layer.join("layer"), text).context("fill a layer")?;
        flags.extend(["--image".to_owned(), layer.display().to_string()]);
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let report = trial.run(&flags, "cat /layer")?;
    trial.same(
        "of two layers with the same file, the last --image is seen",
        &report.stdout,
        "from the top",
        "`lowers` has the lowest layer first, lowerdir= wants the top one \
         first: reverse it",
    )
}
