//! Named volumes: folders of the workshop's own, which stay when every
//! container has ended.
//!
//! `--volume NAME:/x`: what has no `/` in it is a name, as with Docker, and a
//! folder of the caller's is `./NAME`. The lower rungs know paths only, so the
//! name becomes one here, before step03 takes hold of it.
//!
//! ```text
//! /var/lib/workshop/volumes               of root (FHS 3.0, 5.8: what
//! $XDG_DATA_HOME/workshop/volumes         programs keep), others' by the
//! ~/.local/share/workshop/volumes         XDG Base Directory Specification
//! └── data                                belongs to root inside
//! ```
//!
//! Records are in /run, which is gone when the machine is switched off; data
//! is not to be. All above `data` is closed to others: root inside of one
//! container may be anybody on the machine, and could leave a set-user-ID
//! program there.

mod command;
mod remove;

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::unistd::geteuid;
use step00::Advice;
use step00::folder::{Folder, is_missing};
use step03::volumes::{Specification, Volume};
use step06::Maps;
use step06::mapping::{is_inside, outside_of};

use crate::folder::{mutex, parse_name};

pub use command::{Command, run};

/// `--volume`, with what this rung adds to it.
pub fn flag(flag: clap::Arg) -> clap::Arg {
    flag.value_name("HOST|NAME:INSIDE[:ro]").help(
        "Show a folder or file of the machine inside, or a volume by its \
         name (without a /); :ro for read-only",
    )
}

/// Takes hold of each volume. One that is named is made on first need.
///
/// # Errors
/// As for [`step03::volumes::open_all`]; and when what is in a volume belongs
/// to users that this container does not have.
pub fn open_all(
    specifications: &[Specification],
    maps: &Maps,
) -> Result<Vec<Volume>> {
    let resolve = |wanted: &Specification| match name_in(wanted) {
        Some(name) => Ok(wanted.with_host(find_or_make(&name, maps)?)),
        None => Ok(wanted.clone()),
    };
    let all: Vec<_> =
        specifications.iter().map(resolve).collect::<Result<_>>()?;
    step03::volumes::open_all(&all)
}

/// The name of a volume, unless it is a path.
fn name_in(wanted: &Specification) -> Option<String> {
    parse_name(wanted.host().to_str()?).ok()
}

/// Where the volume of this name is. A new one belongs to root inside.
fn find_or_make(name: &str, maps: &Maps) -> Result<PathBuf> {
    // One launcher makes it, and gives it away, before another looks at it.
    let _mutex = mutex()?;
    let base = base(true)?.context("find our own folder")?;
    let path = base.path().join(name);
    match base.make(name) {
        Ok(()) => give(&path, maps)?,
        Err(Errno::EEXIST) => check_owner(name, &path, maps)?,
        Err(errno) => {
            let making = || format!("make the volume {}", path.display());
            return Err(errno).with_context(making);
        }
    }
    Ok(path)
}

fn give(path: &Path, maps: &Maps) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    if Path::new(".").join(name).exists() {
        let name = name.to_string_lossy();
        step00::epilogue(&format!(
            "{name} is a new volume; what is here is ./{name}"
        ));
    }
    // For all users inside. No other one comes this far.
    fs::set_permissions(path, Permissions::from_mode(0o755))
        .with_context(|| format!("set the mode of {}", path.display()))?;
    let (uid, gid) = (outside_of(&maps.uids, 0), outside_of(&maps.gids, 0));
    lchown(path, uid, gid)
        .with_context(|| format!("give {} to root inside", path.display()))
}

/// Whom it belongs to may have been changed from inside (a database has it be
/// its own); but never to somebody who is not in the map.
fn check_owner(name: &str, path: &Path, maps: &Maps) -> Result<()> {
    let found = path
        .symlink_metadata()
        .with_context(|| format!("look at {}", path.display()))?;
    let (uid, gid) = (found.uid(), found.gid());
    if is_inside(&maps.uids, uid) && is_inside(&maps.gids, gid) {
        return Ok(());
    }
    Err(anyhow!(
        "use the volume {name}: it belongs to uid {uid} and gid {gid}, who \
         are nobody inside"
    ))
    .advice("the maps that it was made with (--uid-map), or another name")
}

/// The folder of all volumes, if there is one, or if it is to be made.
///
/// # Errors
/// When it belongs to somebody else, or others may write to it.
fn base(make: bool) -> Result<Option<Folder>> {
    let (above, names) = place()?;
    if make {
        fs::create_dir_all(&above)
            .with_context(|| format!("make {}", above.display()))?;
    }
    let mut folder = match Folder::at(&above) {
        Err(error) if is_missing(&error) => return Ok(None),
        folder => folder?,
    };
    for name in names {
        let made = if make { folder.make(name) } else { Ok(()) };
        match made {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => {
                let path = folder.path().join(name);
                let making = || format!("make {}", path.display());
                return Err(errno).with_context(making);
            }
        }
        folder = match folder.open(name) {
            Err(error) if is_missing(&error) => return Ok(None),
            opened => opened?,
        };
    }
    Ok(Some(folder))
}

/// A folder that the machine has, and the two in it that are ours.
fn place() -> Result<(PathBuf, [&'static str; 2])> {
    let ours = ["workshop", "volumes"];
    if geteuid().is_root() {
        return Ok(("/var/lib".into(), ours));
    }
    let set = |name| {
        let value = env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let home = || set("HOME").map(|home| home.join(".local/share"));
    let above = set("XDG_DATA_HOME").or_else(home);
    let above = above.context("find your home: HOME is not set");
    Ok((above.advice("-v ./FOLDER:/x uses one that you have")?, ours))
}

/// Those that there are, by name.
///
/// # Errors
/// As for open(2), and when the folder of them all is somebody else's.
pub fn list() -> Result<Vec<(String, PathBuf)>> {
    let Some(base) = base(false)? else { return Ok(Vec::new()) };
    let mut names = base.names().context("list the volumes")?;
    // What begins with a dot is being removed.
    names.retain(|name| parse_name(name).is_ok());
    names.sort();
    let path = |name: String| {
        let path = base.path().join(&name);
        (name, path)
    };
    Ok(names.into_iter().map(path).collect())
}
