//! `workshop rootfs`: the root filesystem made from what the machine has.

mod target;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use nix::unistd::geteuid;
use step03::rootfs::{Source, default_path, ensure};
use target::{Target, mode, names, output_of};

/// Runs a shell in `root` if this user may chroot; says so if not.
fn inside(root: &Path, script: &str) -> Result<Option<String>> {
    if !geteuid().is_root() {
        eprintln!("not root: what needs chroot is left out");
        return Ok(None);
    }
    let mut chroot = witness::command("chroot");
    chroot.arg(root).args(["/bin/sh", "-c", script]);
    output_of(chroot.output()?).map(Some)
}

#[test]
fn it_is_made_from_this_machine_and_names_its_own_distribution() -> Result<()>
{
    let target = Target::new()?;
    let printed = target.run(&["rootfs"])?;
    assert!(printed.contains("cargo run -p step03"), "{printed}");
    let release = fs::read_to_string(target.path("rootfs/etc/os-release"))?;
    assert!(release.contains("ID=blindfolds\n"), "{release}");
    // The control: the host's own says something else.
    let host = fs::read_to_string("/etc/os-release").unwrap_or_default();
    assert_ne!(release, host);
    let listed =
        inside(&target.path("rootfs"), "ls / && cat /etc/os-release")?;
    assert!(listed.is_none_or(|text| text.contains("ID=blindfolds")));
    Ok(())
}

#[test]
fn the_hosts_own_programs_do_where_there_is_no_busybox() -> Result<()> {
    let target = Target::new()?;
    target.run(&["rootfs", "host"])?;
    let root = target.path("rootfs");
    assert!(!root.join("usr/bin/busybox").exists());
    let script = "ls /etc/passwd && id -un && awk 'BEGIN { print 6 * 7 }'";
    if let Some(text) = inside(&root, script)? {
        assert_eq!(text, "/etc/passwd\nroot\n42\n");
        // The control: without its libraries the same shell does not start.
        fs::remove_dir_all(root.join("usr/lib"))?;
        inside(&root, script).expect_err("no libraries, and yet it ran");
    }
    Ok(())
}

#[test]
fn modes_do_not_depend_on_the_umask() -> Result<()> {
    let modes = |umask: &str| -> Result<Vec<u32>> {
        let target = Target::new()?;
        let script = format!("umask {umask}; exec \"$0\" rootfs");
        let mut shell = witness::command("sh");
        shell.args(["-c", &script]).arg(target.binary());
        output_of(shell.output()?)?;
        let names = ["", "tmp", "root", "etc/passwd", "usr/bin/sh"];
        let root = target.path("rootfs");
        names.iter().map(|name| mode(&root.join(name))).collect()
    };
    let wanted = [0o755, 0o1777, 0o755, 0o644];
    assert_eq!(modes("077")?[..4], wanted);
    assert_eq!(modes("000")?[..4], wanted);
    Ok(())
}

#[test]
fn it_is_made_once_and_made_anew_by_force() -> Result<()> {
    let target = Target::new()?;
    target.run(&["rootfs"])?;
    let mark = target.path("rootfs/mark");
    fs::write(&mark, "")?;
    assert!(target.run(&["rootfs"])?.contains("is there already"));
    assert!(mark.exists());
    target.run(&["rootfs", "--force"])?;
    assert!(!mark.exists());
    Ok(())
}

#[test]
fn of_many_makers_at_once_one_wins_and_none_fails() -> Result<()> {
    let target = Target::new()?;
    let start = || {
        let mut command = target.command(&["rootfs"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    };
    let makers = (0..12).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let mut made = 0;
    for maker in makers {
        let output = maker.wait_with_output()?;
        let words = String::from_utf8(output.stderr)?;
        assert!(output.status.success(), "{words}");
        made += usize::from(words.contains("workshop: made "));
    }
    assert_eq!(made, 1);
    assert_eq!(names(&target.0)?, ["debug", "rootfs"]);
    Ok(())
}

#[test]
fn what_a_killed_maker_left_is_removed_by_the_next_one() -> Result<()> {
    let target = Target::new()?;
    let mut child = witness::command("true").spawn()?;
    child.wait()?;
    let dead = target.path(&format!("rootfs.new-{}", child.id()));
    // The control: a maker that is still at work. Process 1 always lives.
    let alive = target.path("rootfs.new-1");
    fs::create_dir_all(dead.join("usr/bin"))?;
    fs::create_dir_all(alive.join("usr/bin"))?;
    target.run(&["rootfs"])?;
    assert!(!dead.exists() && alive.exists());
    Ok(())
}

#[test]
fn under_sudo_it_belongs_to_the_person_behind_sudo() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: what sudo would do cannot be tried");
        return Ok(());
    }
    for (user, owner) in [(Some("1234"), 1234), (None, 0)] {
        let target = Target::new()?;
        let mut command = target.command(&["rootfs"]);
        command.env_remove("SUDO_UID").env_remove("SUDO_GID");
        if let Some(user) = user {
            command.env("SUDO_UID", user).env("SUDO_GID", user);
        }
        output_of(command.output()?)?;
        for name in ["", "bin", "usr/bin/sh", "etc/passwd"] {
            let path = target.path("rootfs").join(name);
            assert_eq!(path.symlink_metadata()?.uid(), owner, "{name}");
        }
    }
    // The host's own file, to which links lead, kept its owner.
    assert_eq!(fs::metadata("/bin/sh")?.uid(), 0);
    Ok(())
}

#[test]
fn what_cannot_be_made_is_one_clear_error_and_leaves_nothing() -> Result<()> {
    let target = Target::new()?;
    let mut command = target.command(&["rootfs", "host"]);
    // Programs are found where they usually are, ldd only in PATH.
    let output = command.env("PATH", "/nowhere").output()?;
    let words = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("run ldd"), "{words}");
    assert_eq!(names(&target.0)?, ["debug"]);
    // A full or read-only disk looks like this to somebody who is not root.
    let mut command = target.command(&["rootfs"]);
    if geteuid().is_root() {
        command.uid(65534).gid(65534);
    } else {
        fs::set_permissions(&target.0, fs::Permissions::from_mode(0o555))?;
    }
    let output = command.output()?;
    let words = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("Permission denied"), "{words}");
    fs::set_permissions(&target.0, fs::Permissions::from_mode(0o755))?;
    assert_eq!(names(&target.0)?, ["debug"]);
    // The control: the same call where it may write.
    target.run(&["rootfs"])?;
    Ok(())
}

#[test]
fn a_stray_file_of_that_name_goes_by_force_only() -> Result<()> {
    let target = Target::new()?;
    fs::write(target.path("rootfs"), "mine")?;
    assert!(target.run(&["rootfs"])?.contains("is there already"));
    assert_eq!(fs::read_to_string(target.path("rootfs"))?, "mine");
    target.run(&["rootfs", "--force"])?;
    assert!(target.path("rootfs/etc").is_dir());
    Ok(())
}

#[test]
fn a_busybox_that_does_not_run_is_passed_over() -> Result<()> {
    let target = Target::new()?;
    let Source::Busybox(busybox) = Source::find() else {
        eprintln!("no static busybox here: nothing to pass over");
        return Ok(());
    };
    let whole = fs::read(busybox)?;
    for (length, chosen) in [(whole.len(), true), (4096, false)] {
        fs::remove_dir_all(target.path("bin")).ok();
        fs::create_dir(target.path("bin"))?;
        let own = target.path("bin/busybox");
        fs::write(target.path("part"), &whole[..length])?;
        // cp once more, for the reason given in target/mod.rs.
        let mut cp = witness::command("cp");
        output_of(cp.arg(target.path("part")).arg(&own).output()?)?;
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755))?;
        let mut command = target.command(&["rootfs", "busybox", "--force"]);
        let path = std::env::var("PATH")?;
        let path = format!("{}:{path}", target.path("bin").display());
        let output = command.env("PATH", path).output()?;
        let words = String::from_utf8(output.stderr)?;
        assert_eq!(words.contains(&own.display().to_string()), chosen);
    }
    Ok(())
}

#[test]
fn a_rung_makes_its_own_but_never_somebody_elses() -> Result<()> {
    let target = Target::new()?;
    let missing = target.path("no-such");
    let words = ensure(&missing).expect_err("it was made").to_string();
    assert!(words.contains("no such directory"), "{words}");
    fs::write(&missing, "")?;
    let words = ensure(&missing).expect_err("a file will do?").to_string();
    assert!(words.contains("not a directory"), "{words}");
    ensure(&target.path("debug"))?;
    // A test lies in target/debug/deps and means the same as a rung.
    let rung = Path::new(env!("CARGO_BIN_EXE_workshop"));
    let target = rung.ancestors().nth(2).unwrap_or(rung);
    assert_eq!(default_path()?, target.join("rootfs"));
    ensure(&default_path()?)?;
    assert!(default_path()?.join("bin/sh").symlink_metadata().is_ok());
    Ok(())
}

#[test]
fn the_command_line_explains_itself() -> Result<()> {
    let target = Target::new()?;
    assert!(target.run(&[])?.contains("cargo workshop rootfs"));
    for words in [target.run(&[])?, target.run(&["rootfs", "--help"])?] {
        let wide = words.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None);
    }
    let hash = "0".repeat(64);
    for wrong in [
        &["rootfs", "x.tar", "--sha256", "12"][..],
        &["rootfs", "--sha256", &hash],
    ] {
        assert_eq!(target.command(wrong).output()?.status.code(), Some(2));
    }
    assert_eq!(
        target.command(&["clean", "-x"]).output()?.status.code(),
        Some(2)
    );
    Ok(())
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() -> Result<()> {
    let target = Target::new()?;
    let (reader, writer) = nix::unistd::pipe()?;
    drop(reader);
    let output = target.command(&[]).stdout(writer).output()?;
    assert!(output.status.success() && output.stderr.is_empty());
    // The control: a full device is an error, not a panic.
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let output = target.command(&[]).stdout(full).output()?;
    assert_eq!(output.status.code(), Some(1));
    Ok(())
}

#[test]
fn an_installed_program_keeps_it_with_the_data_of_its_user() -> Result<()> {
    let target = Target::new()?;
    fs::create_dir(target.path("bin"))?;
    fs::rename(target.binary(), target.path("bin/workshop"))?;
    let make = |variable: &str, place: &str| {
        let mut command = Command::new(target.path("bin/workshop"));
        command.arg("rootfs").env_remove("HOME").env_remove("XDG_DATA_HOME");
        if !variable.is_empty() {
            command.env(variable, target.path(place));
        }
        command.output()
    };
    output_of(make("XDG_DATA_HOME", "data")?)?;
    assert!(target.path("data/workshop/rootfs/etc").is_dir());
    output_of(make("HOME", "home")?)?;
    assert!(target.path("home/.local/share/workshop/rootfs/etc").is_dir());
    assert_eq!(names(&target.path("bin"))?, ["workshop"]);
    let nowhere = make("", "")?;
    let words = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert_eq!(nowhere.status.code(), Some(1), "{words}");
    assert!(words.contains("HOME is not set\n  try: "), "{words}");
    Ok(())
}

#[test]
fn a_full_or_closed_stderr_is_no_panic() -> Result<()> {
    let target = Target::new()?;
    // Not root, so that it has something to say about sudo.
    fs::create_dir(target.path("run"))?;
    let commands: [&[&str]; 9] = [
        &["clean"],
        &[],
        &["doctor"],
        &["--help"],
        &["nonsense"],
        &["peek", "999999999"],
        &["rootfs", "missing.tar"],
        &["hint", "3"],
        &["rootfs"],
    ];
    for words in commands {
        for (redirections, all) in [
            ("2>/dev/full", false),
            (">/dev/full", true),
            (">/dev/full 2>/dev/full", true),
            ("2>&-", false),
            (">&-", true),
            ("<&- >&- 2>&-", true),
        ] {
            let line = format!("exec \"$@\" {redirections}");
            // In a session of its own: where this test has a terminal, sudo
            // would ask somebody for a password there.
            let mut shell = Command::new("setsid");
            shell.args(["--wait", "sh", "-c", &line, "sh"]);
            shell.arg(target.binary()).args(words);
            shell.env("WORKSHOP_RUN", target.path("run"));
            shell.env("XDG_RUNTIME_DIR", target.path("own"));
            // A sudo that asks nobody.
            shell.env("PATH", "/nowhere:/usr/bin:/bin");
            if geteuid().is_root() {
                shell.uid(65534).gid(65534);
            }
            let output = shell.stdin(Stdio::null()).output()?;
            let code = output.status.code();
            let well = matches!(code, Some(0..=2));
            assert!(well, "{words:?} {redirections}: {code:?}");
            // The control: where nothing can be printed, that is an error.
            let lost = all && redirections.contains("full");
            let silent = words.first() == Some(&"clean");
            assert!(!lost || silent || code != Some(0), "{words:?}");
        }
    }
    Ok(())
}
