//! `workshop clean` removes what the workshop made, and nothing else.

mod target;

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{geteuid, symlinkat};
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
