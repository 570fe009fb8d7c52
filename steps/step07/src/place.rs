//! Where on this machine a group with limits can be made, if anywhere.
//!
//! ```text
//! /sys/fs/cgroup            with root: its children get the controllers
//! └── workshop              holds no process, so it may hand them on
//!     └── 4242-81236        a container: launcher's PID, and when that started
//! ```

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{Pid, Uid, geteuid};
use step00::{Advice, Proc};

use crate::belt::Belt;
use crate::cgroup;

/// Where the hierarchy is mounted, by the convention of every distribution.
pub const MOUNT: &str = "/sys/fs/cgroup";

/// The group of which all containers' groups are children.
pub const PARENT: &str = "workshop";

/// What one can do on a machine without version 2. Doctor, README, chapter and
/// exercise name the same two commands.
pub const WITHOUT_VERSION_2: &str =
    "cargo workshop check 7 --vm, or scripts/vm to look around
  or boot with systemd.unified_cgroup_hierarchy=1";

/// The same with the rung that was run, and is to be looked at.
fn without_version_2() -> String {
    match step00::rung() {
        None | Some("step07") => WITHOUT_VERSION_2.into(),
        Some(rung) => format!(
            "scripts/vm cargo run -p {rung}, in a machine that has it
  or boot with systemd.unified_cgroup_hierarchy=1"
        ),
    }
}

/// A place for groups, or why there is none.
#[derive(Debug)]
pub enum Place {
    /// Groups can be made below this one.
    Below(PathBuf),
    /// The machine has no unified hierarchy, or none that we may use.
    None {
        /// Why, in words.
        why: String,
        /// What can be done about it.
        advice: String,
    },
}

impl Place {
    /// Looks for it.
    pub fn find() -> Result<Place> {
        if !is_unified(Path::new(MOUNT)) {
            let unified = Path::new(MOUNT).join("unified");
            let kind = match is_unified(&unified) {
                true => "hybrid (v1 has the limits)",
                false => "v1",
            };
            return Ok(Place::None {
                why: format!("no handcuffs: cgroups here are {kind}"),
                advice: without_version_2(),
            });
        }
        if geteuid().is_root() {
            return Ok(Place::Below(PathBuf::from(MOUNT)));
        }
        Ok(Place::of(geteuid(), own_group()?))
    }

    /// A group is delegated by giving its folder to a user.
    fn of(user: Uid, own: PathBuf) -> Place {
        match fs::metadata(&own).is_ok_and(|own| own.uid() == user.as_raw()) {
            true => Place::Below(own),
            false => Place::None {
                why: "no handcuffs: this cgroup belongs to the machine's root"
                    .into(),
                advice: "systemd-run --user --scope -p Delegate=yes COMMAND"
                    .into(),
            },
        }
    }

    /// Makes sure that groups below the parent can have limits, and returns
    /// the parent.
    pub fn prepare(base: &Path, controllers: &[&str]) -> Result<PathBuf> {
        let parent = base.join(PARENT);
        match fs::create_dir(&parent) {
            Err(error) if !parent.is_dir() => {
                return Err(error)
                    .with_context(|| format!("make {}", parent.display()))
                    .advice(
                        "is cgroup2 mounted read-only, as in a container?",
                    );
            }
            Ok(()) => let_all_enter(&parent)?,
            Err(_) => {}
        }
        if let Err(error) = cgroup::enable(base, controllers) {
            if !are_processes_in_the_way(&error, geteuid()) {
                return Err(error).advice(
                    "is this a container's cgroup? Use the machine's, or a VM",
                );
            }
            clear_out(base)?;
            cgroup::enable(base, controllers)?;
        }
        cgroup::enable(&parent, controllers)?;
        Ok(parent)
    }
}

/// Lets the groups below `group` have limits of these kinds, as
/// [`cgroup::enable`] does. What the group handed on before, it still does.
///
/// # Errors
/// As [`cgroup::enable`].
pub fn hand_on(group: &Path, controllers: &[&str]) -> Result<()> {
    let _belt = Belt::fasten(group);
    cgroup::enable(group, controllers)
}

/// Opens a new group's folder to all, whatever the umask: who is in the group
/// may be another user, and to a mount that shows it one has to get.
pub fn let_all_enter(group: &Path) -> Result<()> {
    fs::set_permissions(group, Permissions::from_mode(0o755))
        .with_context(|| format!("set the mode of {}", group.display()))
}

/// Moves all processes of a delegated group (this one, and the shell that
/// started it) into a leaf of it, so that the group may hand on controllers.
fn clear_out(base: &Path) -> Result<()> {
    let leaf = base.join("launcher");
    fs::create_dir_all(&leaf)
        .with_context(|| format!("make {}", leaf.display()))?;
    let procs = fs::read_to_string(base.join("cgroup.procs"))?;
    for pid in procs.lines() {
        unless_ended(fs::write(leaf.join("cgroup.procs"), pid))
            .with_context(|| format!("move process {pid} to a leaf"))?;
    }
    Ok(())
}

/// A process that has ended in the meantime is in nobody's way.
fn unless_ended(moved: io::Result<()>) -> io::Result<()> {
    match moved {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        moved => moved,
    }
}

/// The machine's root group is exempt from the rule against internal
/// processes. A delegated group is not.
fn are_processes_in_the_way(error: &anyhow::Error, user: Uid) -> bool {
    is_busy(error) && !user.is_root()
}

fn is_busy(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.and_then(|io| io.raw_os_error()) == Some(Errno::EBUSY as i32)
    })
}

/// Is this the top of a tree of version 2?
pub fn is_unified(path: &Path) -> bool {
    let kind = statfs(path).map(|found| found.filesystem_type());
    kind == Ok(CGROUP2_SUPER_MAGIC)
}

/// The group that this process is in.
fn own_group() -> Result<PathBuf> {
    group_in(&Proc::own())?.context("find our own cgroup")
}

/// The folder of the group that a process is in.
pub(crate) fn group_in(process: &Proc) -> Result<Option<PathBuf>> {
    let group = process.group()?;
    let folder =
        |path: String| Path::new(MOUNT).join(path.trim_start_matches('/'));
    Ok(group.map(folder))
}

/// Are groups of version 2 mounted where they usually are? It is asked once.
pub fn has_version_2() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| is_unified(Path::new(MOUNT)))
}

/// The folder of the group that a container has to itself. Where there are no
/// handcuffs, its processes are in a group that others are in as well.
///
/// # Errors
/// When that cannot be read. If this were taken for "no group", a process
/// would be let in without handcuffs.
pub fn group_of(pid: Pid) -> Result<Option<PathBuf>> {
    let is_own = |group: &PathBuf| {
        group.parent().is_some_and(|parent| parent.ends_with(PARENT))
    };
    Ok(group_in(&Proc::of(pid))?.filter(is_own))
}

#[cfg(test)]
mod tests {
    use witness::Folder;

    use super::*;

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).expect(name)
    }

    #[test]
    fn a_group_is_for_whom_its_folder_belongs_to() {
        let own = Folder::new();
        let of = |user: u32| Place::of(Uid::from_raw(user), own.path().into());
        let user = geteuid().as_raw();
        assert!(matches!(of(user), Place::Below(it) if it == own.path()));
        assert!(matches!(of(user + 1), Place::None { .. }));
        let gone = Place::of(geteuid(), own.join("gone"));
        assert!(matches!(gone, Place::None { .. }));
    }

    /// In a folder that stands for a hierarchy: its files keep the last word
    /// that was written to them.
    #[test]
    fn controllers_are_handed_on_by_the_base_and_by_the_parent() {
        let base = Folder::new();
        for again in [false, true] {
            let parent = Place::prepare(base.path(), &["cpu", "pids"]);
            let parent = parent.expect("prepare it");
            assert_eq!(parent, base.join("workshop"), "again: {again}");
            for group in [base.path(), &parent] {
                assert_eq!(read(group, "cgroup.subtree_control"), "+pids");
            }
        }
        // The last controller is asked for after the first.
        Place::prepare(base.path(), &["cpu"]).expect("prepare it");
        let parent = base.join("workshop");
        assert_eq!(read(&parent, "cgroup.subtree_control"), "+cpu");
    }

    #[test]
    fn an_error_says_what_could_not_be_made_or_written() {
        let base = Folder::new();
        let gone = base.join("gone");
        let error = Place::prepare(&gone, &[]).expect_err("no base");
        assert!(error.to_string().contains("make "), "{error:#}");
        let control = base.join("cgroup.subtree_control");
        fs::create_dir(&control).expect("make a folder");
        let error = Place::prepare(base.path(), &["cpu"]);
        let error = format!("{:#}", error.expect_err("no file"));
        assert!(error.contains("write \"+cpu\""), "{error}");
        assert!(!base.join("launcher").exists(), "nobody was in the way");
    }

    #[test]
    fn who_is_in_the_way_is_moved_to_a_leaf() {
        let base = Folder::new();
        fs::write(base.join("cgroup.procs"), "12\n34\n").expect("write it");
        clear_out(base.path()).expect("move them");
        assert_eq!(read(&base.join("launcher"), "cgroup.procs"), "34");
        // An error that is not the end of a process is one.
        let leaf = base.join("launcher/cgroup.procs");
        fs::remove_file(&leaf).expect("remove it");
        fs::create_dir(&leaf).expect("make a folder");
        let error = clear_out(base.path()).expect_err("EISDIR");
        assert!(error.to_string().contains("process 12"), "{error:#}");
    }

    #[test]
    fn only_ebusy_is_busy() {
        let error = |errno: Errno| {
            let error = io::Error::from(errno);
            anyhow::Error::from(error).context("write a file")
        };
        assert!(is_busy(&error(Errno::EBUSY)));
        assert!(!is_busy(&error(Errno::ENOENT)));
        assert!(!is_busy(&anyhow::anyhow!("no error of the kernel's")));
        let [root, other] = [0, 1].map(Uid::from_raw);
        let in_the_way =
            |errno, user| are_processes_in_the_way(&error(errno), user);
        assert!(in_the_way(Errno::EBUSY, other));
        assert!(!in_the_way(Errno::EBUSY, root));
        assert!(!in_the_way(Errno::ENOENT, other));
    }

    #[test]
    fn a_process_that_has_ended_need_not_be_moved() {
        let moved = |errno| unless_ended(Err(io::Error::from(errno)));
        assert!(moved(Errno::ESRCH).is_ok());
        assert!(moved(Errno::EPERM).is_err());
        assert!(unless_ended(Ok(())).is_ok());
    }

    #[test]
    fn a_group_is_open_to_all_whatever_the_umask() {
        let base = Folder::new();
        let mode = |mode| {
            let mode = Permissions::from_mode(mode);
            fs::set_permissions(base.path(), mode).expect("set its mode");
            let_all_enter(base.path()).expect("open it");
            let found = fs::metadata(base.path()).expect("look at it");
            found.mode() & 0o7777
        };
        assert_eq!([mode(0o700), mode(0o777)], [0o755; 2]);
    }

    #[test]
    fn the_group_of_a_process_is_a_folder_of_the_hierarchy() {
        let text = read(Path::new("/proc/self"), "cgroup");
        let path = text.lines().find_map(|line| line.strip_prefix("0::/"));
        let folder = path.map(|path| Path::new(MOUNT).join(path));
        assert_eq!(group_in(&Proc::own()).expect("read it"), folder);
        assert_eq!(own_group().ok(), folder);
        // No container's: this is a test.
        let own = group_of(Pid::this()).expect("read it");
        assert_eq!(own, None);
    }
}
