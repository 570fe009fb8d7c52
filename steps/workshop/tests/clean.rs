//! `workshop clean` removes what the workshop made, and nothing else.

mod target;

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use anyhow::Result;
use nix::unistd::geteuid;
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
