//! `workshop clean` removes what the workshop made, and nothing else.

mod target;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg, OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Pid, geteuid, symlinkat};
use serde_json::Value;
use step03::tree::Tree;
use step12::cgroup::Cgroup;
use step12::config::resources::Resources;
use step12::state::{First, Mounted, OCI_VERSION, State};
use target::{Target, names, output_of};

#[test]
fn it_says_what_it_removes_and_spares_the_rest() -> Result<()> {
    let target = Target::new()?;
    target.run(&["rootfs"])?;
    for name in ["images/one", "rootfs.new-1", "rootfs.new-x", "mine"] {
        fs::create_dir_all(target.path(name))?;
    }
    let mut dead = witness::command("true").spawn()?;
    dead.wait()?;
    fs::create_dir(target.path(&format!("rootfs.new-{}", dead.id())))?;
    let printed = target.run(&["clean"])?;
    assert_eq!(printed.lines().count(), 3, "{printed}");
    assert!(printed.contains("removed images\n"), "{printed}");
    let left = ["debug", "mine", "rootfs.new-1", "rootfs.new-x"];
    assert_eq!(names(&target.0)?, left);
    assert_eq!(target.run(&["clean"])?, "nothing to remove\n");
    Ok(())
}

#[test]
fn it_forgets_containers_that_have_ended() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: this would ask for a password");
        return Ok(());
    }
    let target = Target::new()?;
    for folder in ["run", "own/workshop"] {
        for name in ["ended", "runs"] {
            let folder = target.path(&format!("{folder}/{name}"));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("lock"), "")?;
            fs::write(folder.join("log"), "hello\n")?;
        }
    }
    // A launcher holds the lock of its container for as long as it lives.
    let mut holder = witness::command("flock")
        .args(["run/runs/lock", "flock", "own/workshop/runs/lock"])
        .args(["sh", "-c", "echo; cat"])
        .current_dir(&target.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = holder.stdout.as_mut().expect("its stdout");
    stdout.read_exact(&mut [0])?;
    let printed = target.run(&["clean"])?;
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert_eq!(printed.matches("/ended\n").count(), 2, "{printed}");
    assert_eq!(names(&target.path("run"))?, ["runs"]);
    assert_eq!(names(&target.path("own/workshop"))?, ["runs"]);
    drop(holder.stdin.take());
    holder.wait()?;
    target.run(&["clean"])?;
    assert!(!target.path("run").exists(), "the control");
    Ok(())
}

/// A container of step12's, as its folder says, in a group of its own. The
/// group is gone when this is dropped.
struct Bundle(State);

impl Bundle {
    fn make(base: &Path, name: &str, first: Option<u32>) -> Result<Bundle> {
        let group = format!("/workshop-test-{}-{name}", std::process::id());
        let first = first.map(|pid| {
            let start = step07::start_time(pid).context("it has ended")?;
            let boot = step11::state::boot()?;
            anyhow::Ok(First { pid: pid as i32, start, boot })
        });
        let state = State {
            oci_version: OCI_VERSION.into(),
            id: name.into(),
            bundle: "/".into(),
            rootfs: "/".into(),
            annotations: BTreeMap::default(),
            created: String::new(),
            owner: 0,
            first: first.transpose()?,
            cgroup: Cgroup::choose(Some(&group), name, false)?,
            mounted: None,
        };
        let bundle = Bundle(state);
        bundle.0.cgroup.make(&Resources::default())?;
        let folder = base.join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("lock"), "")?;
        let text = serde_json::to_vec(&bundle.0)?;
        fs::write(folder.join("state.json"), text)?;
        Ok(bundle)
    }

    /// Is any of its groups there?
    fn has_group(&self) -> bool {
        let name =
            format!("workshop-test-{}-{}", std::process::id(), self.0.id);
        let trees = fs::read_dir("/sys/fs/cgroup").expect("control groups");
        let mut trees = trees.flatten().map(|tree| tree.path());
        Path::new("/sys/fs/cgroup").join(&name).exists()
            || trees.any(|tree| tree.join(&name).exists())
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.0.cgroup.remove();
    }
}

/// A process that waits until its input ends.
fn waiting() -> Result<Child> {
    Ok(witness::command("cat").stdin(Stdio::piped()).spawn()?)
}

fn end(mut child: Child) -> Result<()> {
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

#[test]
fn it_puts_away_what_a_killed_runtime_has_left() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: this would ask for a password");
        return Ok(());
    }
    let target = Target::new()?;
    let base = target.path("step12");
    let (ended, runs, survives) = (waiting()?, waiting()?, waiting()?);
    let bundles = [
        Bundle::make(&base, "killed", None)?,
        Bundle::make(&base, "ended", Some(ended.id()))?,
        Bundle::make(&base, "alien", Some(runs.id()))?,
        Bundle::make(&base, "survived", Some(ended.id()))?,
    ];
    let survivor = Pid::from_raw(survives.id() as i32);
    bundles[3].0.cgroup.join(survivor)?;
    end(ended)?;
    fs::write(base.join("killed/gate"), "")?;
    let printed = target.run(&["clean"])?;
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert_eq!(names(&base)?, ["alien", "survived"], "{printed}");
    let groups = bundles.each_ref().map(Bundle::has_group);
    assert_eq!(groups, [false, false, true, true]);
    assert!(Path::new(&format!("/proc/{}/ns", runs.id())).exists());
    // The control: nobody lives in them any more.
    end(runs)?;
    end(survives)?;
    let printed = target.run(&["clean"])?;
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert!(!base.exists());
    assert!(!bundles.iter().any(Bundle::has_group));
    Ok(())
}

/// What such a container has mounted, which has no mount namespace of its own.
#[test]
fn it_takes_away_what_is_mounted_for_everybody_to_see() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: this would ask for a password");
        return Ok(());
    }
    let _mounts = witness::Covers::new();
    let target = Target::new()?;
    let base = target.path("step12");
    let root = target.path("root");
    fs::create_dir(&root)?;
    let (lower, upper) = (Tree::open_alone(&root)?, Tree::open(&root)?);
    let runs = waiting()?;
    let mut bundle = Bundle::make(&base, "mounted", Some(runs.id()))?;
    let mounted = Mounted::of(lower.hold()?, upper.hold()?, None)?;
    lower.attach(fs::File::open(&root)?.as_fd())?;
    upper.attach(lower.hold()?)?;
    drop((lower, upper));
    bundle.0.mounted = Some(mounted);
    let state = serde_json::to_vec(&bundle.0)?;
    fs::write(base.join("mounted/state.json"), state)?;
    let count = || -> Result<usize> {
        let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
        let root = root.display().to_string();
        Ok(table.lines().filter(|line| line.contains(&root)).count())
    };
    assert_eq!(target.run(&["clean"])?, "nothing to remove\n");
    assert_eq!(count()?, 2, "the control: it runs");
    end(runs)?;
    target.run(&["clean"])?;
    assert_eq!(count()?, 0);
    assert!(!base.exists() && root.exists());
    Ok(())
}

#[test]
fn a_command_of_step12_that_runs_is_not_disturbed() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: this would ask for a password");
        return Ok(());
    }
    let target = Target::new()?;
    let base = target.path("step12");
    let bundle = Bundle::make(&base, "made", None)?;
    let lock = fs::File::open(base.join("made/lock"))?;
    let lock = Flock::lock(lock, FlockArg::LockExclusive);
    let lock = lock.map_err(|(_, errno)| errno)?;
    assert_eq!(target.run(&["clean"])?, "nothing to remove\n");
    assert!(bundle.has_group());
    drop(lock);
    // What is no state, and what names something else than groups, is not
    // followed.
    let state = base.join("made/state.json");
    let text = fs::read_to_string(&state)?;
    fs::write(&state, "{")?;
    assert!(!target.command(&["clean"]).output()?.stdout.is_empty());
    assert_eq!(names(&base)?, ["made"]);
    fs::create_dir(target.path("mine"))?;
    let mine = target.path("mine").display().to_string();
    let mut value: Value = serde_json::from_str(&text)?;
    value["cgroup"]["groups"]["mine"] = mine.into();
    fs::write(&state, value.to_string())?;
    target.run(&["clean"])?;
    assert!(!base.exists() && !bundle.has_group(), "the control");
    assert!(target.path("mine").exists());
    Ok(())
}

#[test]
fn volumes_stay_and_are_named() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: no other user can be tried");
        return Ok(());
    }
    let target = Target::new()?;
    let volume = target.path("data/workshop/volumes/mine");
    fs::create_dir_all(&volume)?;
    fs::write(volume.join("file"), "kept")?;
    for folder in volume.ancestors().take(4) {
        std::os::unix::fs::chown(folder, Some(65534), Some(65534))?;
    }
    let clean = || {
        let mut command = target.command(&["clean"]);
        command.env("XDG_DATA_HOME", target.path("data"));
        command.uid(65534).gid(65534).output()
    };
    let words = String::from_utf8(clean()?.stderr)?;
    assert!(words.contains("step11 volume rm mine"), "{words}");
    assert_eq!(fs::read_to_string(volume.join("file"))?, "kept");
    fs::remove_dir_all(&volume)?;
    let words = String::from_utf8(clean()?.stderr)?;
    assert!(!words.contains("volume rm"), "the control: {words}");
    Ok(())
}

#[test]
fn it_follows_no_link_out() -> Result<()> {
    let target = Target::new()?;
    let mine = target.path("mine");
    fs::create_dir_all(&mine)?;
    fs::write(mine.join("file"), "")?;
    fs::create_dir_all(target.path("rootfs/etc"))?;
    symlink(&mine, target.path("images"))?;
    symlink(&mine, target.path("rootfs/etc/link"))?;
    target.run(&["clean"])?;
    assert_eq!(names(&target.0)?, ["debug", "mine"]);
    assert_eq!(names(&mine)?, ["file"]);
    Ok(())
}

#[test]
fn it_spares_what_is_mounted() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: nothing can be mounted");
        return Ok(());
    }
    let target = Target::new()?;
    fs::create_dir_all(target.path("rootfs/mnt"))?;
    fs::create_dir_all(target.path("mine"))?;
    fs::write(target.path("mine/file"), "")?;
    let script = "mount --bind mine rootfs/mnt && ./debug/workshop clean";
    let mut unshare = witness::command("unshare");
    unshare.args(["--mount", "sh", "-c", script]).current_dir(&target.0);
    let output = unshare.output()?;
    let words = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("sudo umount"), "{words}");
    assert!(target.path("mine/file").exists());
    // The control: outside that namespace nothing is mounted.
    target.run(&["clean"])?;
    assert!(
        target.path("mine/file").exists() && !target.path("rootfs").exists()
    );
    Ok(())
}

#[test]
fn what_belongs_to_root_comes_with_the_command_that_removes_it() -> Result<()>
{
    if !geteuid().is_root() {
        eprintln!("not root: no file can belong to somebody else");
        return Ok(());
    }
    let target = Target::new()?;
    fs::create_dir_all(target.path("rootfs/etc"))?;
    fs::create_dir_all(target.path("images/mine"))?;
    for name in ["", "rootfs", "images", "images/mine"] {
        let path = target.path(name);
        std::os::unix::fs::chown(path, Some(65534), Some(65534))?;
    }
    fs::write(target.path("rootfs/etc/passwd"), "")?;
    let mut command = target.command(&["clean"]);
    let output = command.uid(65534).gid(65534).output()?;
    let words = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{words}");
    let path = target.path("rootfs");
    let wanted =
        format!("sudo rm -r --one-file-system -- '{}'", path.display());
    assert!(words.contains(&wanted), "{words}");
    // What could be removed is gone all the same.
    assert_eq!(names(&target.0)?, ["debug", "rootfs"]);
    output_of(target.command(&["clean"]).output()?)?;
    Ok(())
}

/// Makes a folder in a folder, and so on, beyond what a path can name.
fn dig(folder: &Path, depth: usize) -> Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let mut here = open(folder, flags, Mode::empty())?;
    for _ in 0..depth {
        mkdirat(&here, "d", Mode::S_IRWXU)?;
        here = openat(&here, "d", flags, Mode::empty())?;
    }
    Ok(symlinkat("/", &here, "up")?)
}

/// What the descriptors of a usual process are limited to.
fn with_1024_descriptors(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 1024; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[test]
fn no_tree_is_too_deep_to_be_removed() -> Result<()> {
    let target = Target::new()?;
    fs::create_dir_all(target.path("images/deep/side/x"))?;
    dig(&target.path("images/deep"), 3000)?;
    let bottom = "d/".repeat(3000);
    // The control: it is too deep for a walk with one descriptor a level.
    let mut rm = Command::new("sh");
    rm.arg("-c").arg("cd images/deep && ls \"$0\"").arg(&bottom);
    assert!(!rm.current_dir(&target.0).output()?.status.success());
    output_of(with_1024_descriptors(&target.command(&["clean"])).output()?)?;
    assert_eq!(names(&target.0)?, ["debug"]);
    Ok(())
}

#[test]
fn a_leftover_that_stays_does_not_stop_the_next_import() -> Result<()> {
    let target = Target::new()?;
    let mut dead = Command::new("true").spawn()?;
    dead.wait()?;
    let left = format!("images/other.new-{}", dead.id());
    fs::create_dir_all(target.path(&left).join("mnt"))?;
    fs::create_dir_all(target.path("mine"))?;
    fs::write(target.path("file.tar"), target::tar_of(&[])?)?;
    let whole = target::tar_of(&[(tar::EntryType::Regular, "f", "fine")])?;
    fs::write(target.path("file.tar"), whole)?;
    if !geteuid().is_root() {
        eprintln!("not root: nothing can be mounted, so nothing stays");
        return Ok(());
    }
    let script = format!(
        "mount --bind mine {left}/mnt && ./debug/workshop rootfs file.tar"
    );
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &script]).current_dir(&target.0);
    let output = unshare.output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    assert!(words.contains("left where it is") && words.contains("umount"));
    assert!(target.path("images/file/f").exists());
    // The control: unmounted, it goes with the next one.
    target.run(&["rootfs", "file.tar", "--name", "next"])?;
    assert_eq!(target.images()?, ["file", "next"]);
    Ok(())
}

/// `workshop clean` in a /tmp of its own, prepared by `script` as nobody.
fn clean_in_tmp(target: &Target, script: &str) -> Result<(i32, String)> {
    // The program is copied first: it may lie below /tmp, too.
    let prepare = "mount -t tmpfs tmpfs /mnt && cp \"$0\" /mnt/workshop && \
         mount -t tmpfs -o mode=1777 tmpfs /tmp && \
         setpriv --reuid 65534 --regid 65534 --clear-groups sh -c \"$1\"; \
         mkdir -m 755 /tmp/machine; /mnt/workshop clean 2>&1; echo \"rc=$?\"; \
         find /tmp -mindepth 1 | sort";
    let program = env!("CARGO_BIN_EXE_workshop");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", prepare, program, script]);
    unshare.env("WORKSHOP_RUN", target.path("run"));
    unshare.env_remove("XDG_RUNTIME_DIR");
    let output = unshare.output()?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.code().unwrap_or(-1), words))
}

#[test]
fn nobody_elses_folder_in_tmp_is_followed_or_emptied() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: no folder can belong to somebody else");
        return Ok(());
    }
    let target = Target::new()?;
    let user = "umask 0; mkdir -p /tmp/workshop-0/box; \
         touch /tmp/workshop-0/box/lock; ln -s /tmp/machine /tmp/workshop-0/x";
    let (_, words) = clean_in_tmp(&target, user)?;
    assert!(words.contains("left alone"), "{words}");
    assert!(words.contains("/tmp/workshop-0/box/lock\n"), "{words}");
    assert!(!words.contains("/tmp/machine/lock"), "{words}");
    // A link in its place.
    let (_, words) =
        clean_in_tmp(&target, "ln -s /tmp/machine /tmp/workshop-0")?;
    assert!(words.contains("left alone"), "{words}");
    assert!(words.contains("/tmp/workshop-0\n"), "{words}");
    // The control: its own folder is emptied, and a link in it is no record.
    let own = target.path("own/workshop");
    fs::create_dir_all(own.join("box"))?;
    fs::create_dir_all(own.join("begun"))?;
    fs::create_dir_all(target.path("machine"))?;
    fs::write(own.join("box/lock"), "")?;
    symlink(target.path("machine"), own.join("x"))?;
    let printed = target.run(&["clean"])?;
    assert!(printed.contains("own/workshop/box\n"), "{printed}");
    assert_eq!(names(&own)?, ["x"]);
    assert_eq!(names(&target.path("machine"))?, [""; 0]);
    Ok(())
}

#[test]
fn who_locks_the_folder_for_ever_holds_nobody_up() -> Result<()> {
    let target = Target::new()?;
    let own = target.path("own/workshop");
    fs::create_dir_all(own.join("ended"))?;
    fs::write(own.join("ended/lock"), "")?;
    let mut holder = Command::new("flock")
        .args(["own/workshop", "sh", "-c", "echo; cat"])
        .current_dir(&target.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = holder.stdout.as_mut().expect("its stdout");
    stdout.read_exact(&mut [0])?;
    let output = target.command(&["clean"]).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("it is locked"), "{words}");
    assert_eq!(names(&own)?, ["ended"]);
    drop(holder.stdin.take());
    holder.wait()?;
    target.run(&["clean"])?;
    assert!(!own.exists(), "the control");
    Ok(())
}
