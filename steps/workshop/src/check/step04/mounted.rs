//! The overlay that a process has as its root.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::check::running::Running;
use crate::check::{Attempt, outside};

/// With one image: what is mounted, and where a write goes.
pub(super) fn one_layer(
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
pub(super) fn options(attempt: &mut Attempt, running: &Running) -> Result<()> {
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
