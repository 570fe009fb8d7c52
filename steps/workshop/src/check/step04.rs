//! step04: an overlay mount.

mod blame;
mod many;
mod user;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};

use super::running::Running;
use super::scratch::Scratch;
use super::{Attempt, outside};
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
            one_layer(attempt, &running, &image)?;
            options(attempt, &running)?;
        }
    }
    kept(attempt, &flags, &scratch)?;
    layers(attempt, &image, &scratch)?;
    many::look(attempt, flags[1])?;
    user::look(attempt, &scratch)
}

fn one_layer(
    attempt: &mut Attempt,
    running: &Running,
    image: &Path,
) -> Result<()> {
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
        "`mount_overlay`: without upperdir= and workdir= an overlay is \
         read-only, and with MS_RDONLY too",
    )?;
    attempt.found(
        "and not in the image, which others use too",
        !image.join("checked").exists()
            && image.join("etc/os-release").exists(),
        "the image was changed",
        "the image as it was",
        "`mount_overlay`: the image is a lower layer, and nothing is bound \
         to it",
    )
}

/// What mountinfo has of the options: proc(5), the last field.
fn options(attempt: &mut Attempt, running: &Running) -> Result<()> {
    let mount = outside::mount_at(running.pid, "/");
    let options = mount.map(|mount| mount.super_options).unwrap_or_default();
    let values = |name: &str| {
        let values = options.iter().filter_map(|one| one.strip_prefix(name));
        values.collect::<Vec<_>>().join(":")
    };
    let lowers = values("lowerdir=").replace("+=", "");
    attempt.found(
        "both of its layers are in lowerdir, the image and the launcher's",
        lowers.split(':').count() == 2,
        &lowers,
        "own:layer0",
        "`mount_overlay`: all of `lowers` go into one lowerdir=, joined by \
         colons. (`own` is the layer of the launcher: mount points and files \
         that every container gets)",
    )?;
    let (upper, work) = (values("upperdir="), values("workdir="));
    attempt.found(
        "it writes to upper, and prepares in work",
        upper.ends_with("/upper") && work.ends_with("/work"),
        format!("upperdir={upper},workdir={work}"),
        "upperdir=…/upper,workdir=…/work",
        "`mount_overlay`: upperdir= is the folder `upper`, workdir= the \
         folder `work`: what is to be kept is in upper",
    )?;
    let has = |name: &str| options.iter().any(|one| one == name);
    attempt.found(
        "its extended attributes are the ones of the machine's root",
        !has("userxattr"),
        "userxattr",
        "no userxattr",
        "`mount_overlay`: userxattr is for a process in a user namespace \
         alone, as `is_in_user_namespace` tells",
    )?;
    plain(attempt, has("redirect_dir=nofollow"), &options)
}

/// An option shows where it differs from the kernel's own choice.
fn plain(
    attempt: &mut Attempt,
    is_plain: bool,
    options: &[String],
) -> Result<()> {
    let file = "/sys/module/overlay/parameters/redirect_always_follow";
    let follows = fs::read_to_string(file).unwrap_or_default();
    let what = match follows.trim() {
        "Y" => "its upper layer is plain",
        _ => "its upper layer is plain, as this kernel has it by itself",
    };
    attempt.found(
        what,
        is_plain || follows.trim() != "Y",
        options.join(","),
        "redirect_dir=nofollow among them",
        "`mount_overlay`: the options of PLAIN are missing",
    )
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
