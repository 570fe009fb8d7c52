//! step04: an overlay mount.

mod blame;
mod many;
mod mounted;
mod user;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};

use super::Attempt;
use super::running::Running;
use super::scratch::Scratch;
use blame::CAUSES;

const WAIT: &str = "echo begun\ncat >/dev/null";

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    // A copy: a rung that writes to the image must not write to the real one.
    let scratch = Scratch::new()?;
    let image = scratch.copy_image(attempt.binary())?;
    // Whatever has been tried on the original.
    let _ = fs::remove_file(image.join("checked"));
    fs::write(image.join("etc/os-release"), "NAME=image\n")
        .context("write a file of the image")?;
    let flags = ["--image", image.to_str().context("a plain path")?];
    let script = "echo written >/checked; rm /etc/os-release";
    let what = "it starts, and executes its command";
    match Running::start(
        attempt.command(&flags, &format!("{script}\n{WAIT}")),
    )? {
        Err(report) => {
            let likely = blame::mount(attempt, &flags, &report)?;
            return attempt.found(what, false, report.words(), "", &likely);
        }
        Ok(running) => {
            attempt.found(what, true, "", "", "")?;
            mounted::one_layer(attempt, &running, &image)?;
            mounted::options(attempt, &running)?;
        }
    }
    kept(attempt, &flags, &scratch)?;
    layers(attempt, &image, &scratch)?;
    many::look(attempt, flags[1])?;
    user::look(attempt, &scratch)
}

/// With a folder for the writes.
fn kept(
    attempt: &mut Attempt,
    flags: &[&str],
    scratch: &Scratch,
) -> Result<()> {
    let folder = scratch.join("kept");
    fs::create_dir(&folder).context("make a folder")?;
    if std::process::id() == 1 {
        // Not every filesystem can be an upper layer: this one can.
        let tmpfs = Some("tmpfs");
        mount(tmpfs, &folder, tmpfs, MsFlags::empty(), None::<&str>)
            .context("mount a tmpfs for the writes")?;
    }
    let upper = ["--upper", folder.to_str().context("a plain path")?];
    let flags = [flags, &upper].concat();
    let report = attempt.run(&flags, "echo written >/checked")?;
    attempt.ended(
        "it runs with --upper DIR",
        &report,
        0,
        CAUSES,
        "`mount_overlay`: the folders upper and work are in `writable`, \
         which has not always the same name",
    )?;
    attempt.found(
        "what it writes is then in DIR/upper",
        folder.join("upper/checked").exists(),
        "no file DIR/upper/checked",
        "the file that the script wrote",
        "`mount_overlay`: the folders upper and work are in `writable`, \
         which has not always the same name",
    )
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
    let mistake = match report.stdout.is_empty() {
        true => {
            "`mount_overlay`: all of `lowers` go into one lowerdir=, joined \
             by colons"
        }
        false => {
            "`mount_overlay`: `lowers` has the lowest layer first, lowerdir= \
             wants the top one first: reverse it"
        }
    };
    attempt.printed(
        "of two layers with the same file, the last --image is seen",
        &report,
        "from the top",
        CAUSES,
        mistake,
    )
}
