//! `workshop rootfs FILE|URL`: tars, honest and hostile, from a file, from
//! stdin and from the network.

mod target;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;
use tar::EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};
use target::{Line, Target, mode, names, output_of, tar_of};

/// A small tree packed by the system's own tar, which knows more header forms
/// than any test would think of: long names, a hard link, a locked directory.
fn real_tar(target: &Target, options: &[&str]) -> Result<String> {
    let long = "long-".repeat(40);
    let script = format!(
        "mkdir -p tree/bin tree/locked tree/{long} && cd tree && \
         echo hi > bin/su && chmod 4755 bin/su && ln bin/su bin/same && \
         ln -s /bin/su absolute && echo deep > {long}/file && \
         echo key > locked/key && chmod 0555 locked && chmod 0750 bin"
    );
    let mut shell = witness::command("sh");
    output_of(shell.args(["-c", &script]).current_dir(&target.0).output()?)?;
    let mut tar = witness::command("tar");
    tar.args(options).args(["-cf", "image.tar", "-C", "tree", "."]);
    output_of(tar.current_dir(&target.0).output()?)?;
    Ok(long)
}

#[test]
fn a_real_tar_arrives_as_it_was_packed() -> Result<()> {
    for options in [
        &["--format=gnu"][..],
        &["--format=pax"],
        &["--gzip"],
        &["--xz"],
        &["--zstd"],
    ] {
        let target = Target::new()?;
        let long = real_tar(&target, options)?;
        target.run(&["rootfs", "image.tar"])?;
        let image = target.path("images/image");
        let file = image.join(&long).join("file");
        assert_eq!(fs::read_to_string(file)?, "deep\n", "{options:?}");
        assert_eq!(mode(&image.join("bin/su"))?, 0o4755);
        assert_eq!(mode(&image.join("bin"))?, 0o750);
        assert_eq!(mode(&image.join("locked"))?, 0o555);
        let link = fs::read_link(image.join("absolute"))?;
        assert_eq!(link, Path::new("/bin/su"));
        let (one, two) = ("bin/su", "bin/same");
        let inode = |name| image.join(name).metadata().map(|data| data.ino());
        assert_eq!(inode(one)?, inode(two)?);
        assert_eq!(image.metadata()?.uid(), geteuid().as_raw());
    }
    Ok(())
}

#[test]
fn nobody_else_can_reach_the_setuid_files_of_an_image() -> Result<()> {
    let target = Target::new()?;
    fs::create_dir(target.path("images"))?;
    real_tar(&target, &[])?;
    target.run(&["rootfs", "image.tar"])?;
    assert_eq!(mode(&target.path("images"))?, 0o700);
    // The control: it is the folder above that guards, not the image itself.
    assert_eq!(mode(&target.path("images/image"))? & 0o005, 0o005);
    Ok(())
}

#[test]
fn a_locked_directory_can_be_imported_and_removed_by_its_owner() -> Result<()>
{
    let target = Target::new()?;
    real_tar(&target, &[])?;
    for arguments in [&["rootfs", "image.tar"][..], &["clean"]] {
        let mut command = target.command(arguments);
        give_to_nobody(&target, &mut command)?;
        output_of(command.output()?)?;
    }
    assert!(!target.path("images").exists());
    Ok(())
}

/// Root ignores modes, so what modes do is tried as nobody.
fn give_to_nobody(target: &Target, command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    if geteuid().is_root() {
        std::os::unix::fs::chown(&target.0, Some(65534), Some(65534))?;
        command.uid(65534).gid(65534);
    }
    Ok(())
}

#[test]
fn it_comes_through_a_pipe_as_docker_export_sends_it() -> Result<()> {
    let target = Target::new()?;
    real_tar(&target, &[])?;
    let mut command = target.command(&["rootfs", "-", "--name", "piped"]);
    command.stdin(fs::File::open(target.path("image.tar"))?);
    output_of(command.output()?)?;
    assert_eq!(target.images()?, ["piped"]);
    Ok(())
}

#[test]
fn an_image_that_is_there_is_replaced_only_by_force() -> Result<()> {
    let target = Target::new()?;
    real_tar(&target, &[])?;
    target.run(&["rootfs", "image.tar"])?;
    let mark = target.path("images/image/mark");
    fs::write(&mark, "")?;
    let words = target.fail(&["rootfs", "image.tar"])?;
    assert!(words.contains("--force"), "{words}");
    assert!(mark.exists());
    target.run(&["rootfs", "image.tar", "--name", "other"])?;
    target.run(&["rootfs", "image.tar", "--force"])?;
    assert!(!mark.exists());
    assert_eq!(target.images()?, ["image", "other"]);
    Ok(())
}

#[test]
fn what_a_killed_import_left_goes_with_the_next_one() -> Result<()> {
    let target = Target::new()?;
    real_tar(&target, &[])?;
    let mut dead = witness::command("true").spawn()?;
    dead.wait()?;
    let dead = format!("images/large.new-{}", dead.id());
    fs::create_dir_all(target.path(&dead))?;
    // The control: one that is still at work.
    fs::create_dir_all(target.path("images/large.new-1"))?;
    target.run(&["rootfs", "image.tar"])?;
    assert_eq!(target.images()?, ["image", "large.new-1"]);
    Ok(())
}

#[test]
fn a_name_stays_below_the_images() -> Result<()> {
    let target = Target::new()?;
    real_tar(&target, &[])?;
    for name in ["../up", "/abs", ".hidden", "", "a/b", "x.new-1", "--"] {
        let name = format!("--name={name}");
        target.fail(&["rootfs", "image.tar", &name])?;
    }
    target.run(&["rootfs", "image.tar", "--name=fine-1.0_x"])?;
    assert_eq!(target.images()?, ["fine-1.0_x"]);
    Ok(())
}

/// What may lie in the target folder after an import that was refused.
const UNTOUCHED: [&str; 4] = ["debug", "evil.tar", "images", "outside"];

/// Imports a tar in which `OUTSIDE` stands for a directory that is no
/// business of any image; returns the target folder and what the companion
/// said.
fn import(lines: &[Line<'_>]) -> Result<(Target, Result<String>)> {
    let target = Target::new()?;
    let outside = target.path("outside");
    fs::create_dir(&outside)?;
    fs::write(outside.join("file"), "mine")?;
    let outside = outside.display().to_string();
    let texts = lines.iter().map(|(kind, name, text)| {
        (
            *kind,
            name.replace("OUTSIDE", &outside),
            text.replace("OUTSIDE", &outside),
        )
    });
    let texts: Vec<_> = texts.collect();
    let lines: Vec<Line<'_>> = texts
        .iter()
        .map(|(kind, name, text)| (*kind, name.as_str(), text.as_str()))
        .collect();
    fs::write(target.path("evil.tar"), tar_of(&lines)?)?;
    let answer = target.run(&["rootfs", "evil.tar"]);
    assert_eq!(names(&target.0)?, UNTOUCHED);
    assert_eq!(names(&target.path("outside"))?, ["file"]);
    let mine = target.path("outside/file");
    assert_eq!(fs::read_to_string(&mine)?, "mine");
    assert_eq!(mine.metadata()?.nlink(), 1);
    Ok((target, answer))
}

#[test]
fn a_name_with_two_dots_ends_the_import() -> Result<()> {
    for name in ["../x", "a/../../x", "a/../x", ".."] {
        let (target, answer) = import(&[(Regular, name, "evil")])?;
        let words = answer.expect_err("it was imported").to_string();
        assert!(words.contains("leaves the destination"), "{words}");
        assert_eq!(target.images()?, [""; 0]);
    }
    // The control: dots that are part of a name are honest.
    let (target, answer) = import(&[(Regular, "a/..x", "fine")])?;
    answer?;
    assert!(target.path("images/evil/a/..x").is_file());
    Ok(())
}

#[test]
fn an_absolute_name_lands_inside() -> Result<()> {
    let (target, answer) = import(&[(Regular, "/OUTSIDE/file", "evil")])?;
    answer?;
    let outside = target.path("outside");
    let landed = target.path("images/evil").join(outside.strip_prefix("/")?);
    assert_eq!(fs::read_to_string(landed.join("file"))?, "evil");
    Ok(())
}

#[test]
fn a_file_through_a_link_lands_inside() -> Result<()> {
    // Absolute, relative and over two links: the destination is their `/`.
    for target in ["OUTSIDE", "../../outside", "../../../../../outside"] {
        let (_, answer) = import(&[
            (Symlink, "way", target),
            (Regular, "way/file", "evil"),
        ])?;
        answer.expect_err("inside, that link leads nowhere");
    }
    let (target, answer) = import(&[
        (Directory, "etc", ""),
        (Symlink, "way", "../../../etc"),
        (Symlink, "second", "/way"),
        (Regular, "second/file", "fine"),
    ])?;
    answer?;
    let landed = target.path("images/evil/etc/file");
    assert_eq!(fs::read_to_string(landed)?, "fine");
    Ok(())
}

#[test]
fn a_file_in_place_of_a_link_does_not_write_through_it() -> Result<()> {
    let (target, answer) =
        import(&[(Symlink, "x", "OUTSIDE/file"), (Regular, "x", "evil")])?;
    answer?;
    let x = target.path("images/evil/x");
    assert!(x.symlink_metadata()?.is_file());
    Ok(())
}

#[test]
fn a_hard_link_cannot_name_a_file_outside() -> Result<()> {
    for target in ["OUTSIDE/file", "../../outside/file"] {
        let (_, answer) =
            import(&[(Link, "x", target), (Regular, "x", "evil")])?;
        answer.expect_err("it was linked");
    }
    // To a link: one more name for the link, and no way through it.
    let (target, answer) =
        import(&[(Symlink, "s", "OUTSIDE/file"), (Link, "x", "s")])?;
    answer?;
    let x = target.path("images/evil/x");
    assert!(x.symlink_metadata()?.is_symlink());
    // The control: inside, hard links work.
    let (target, answer) =
        import(&[(Regular, "a", "fine"), (Link, "b", "/a")])?;
    answer?;
    assert_eq!(target.path("images/evil/b").metadata()?.nlink(), 2);
    Ok(())
}

#[test]
fn modes_of_directories_do_not_reach_outside() -> Result<()> {
    let (target, answer) = import(&[
        (Directory, "d", ""),
        (Symlink, "d", "OUTSIDE"),
        (Directory, "d", ""),
        (Symlink, "e", "OUTSIDE"),
    ])?;
    answer?;
    assert!(target.path("images/evil/d").symlink_metadata()?.is_dir());
    Ok(())
}

#[test]
fn device_nodes_are_left_out_and_counted() -> Result<()> {
    let (target, answer) = import(&[
        (Char, "dev/null", ""),
        (Char, "dev/zero", ""),
        (Fifo, "fifo", ""),
        (Regular, "file", ""),
    ])?;
    assert!(answer?.contains("left out: 2 device nodes"));
    assert_eq!(names(&target.path("images/evil"))?, ["fifo", "file"]);
    let (_, answer) = import(&[(Regular, "file", "")])?;
    assert!(!answer?.contains("left out"));
    Ok(())
}

#[test]
fn whiteouts_are_plain_files_in_a_plain_tar() -> Result<()> {
    let (target, answer) = import(&[(Regular, ".wh.name", "fine")])?;
    answer?;
    assert!(target.path("images/evil/.wh.name").is_file());
    Ok(())
}

#[test]
fn a_damaged_archive_is_an_error_and_leaves_nothing() -> Result<()> {
    let target = Target::new()?;
    let text = "x".repeat(100_000);
    let whole = tar_of(&[(Regular, "file", &text)])?;
    fs::write(target.path("whole"), &whole)?;
    fs::write(target.path("short"), &whole[..50_000])?;
    fs::write(target.path("text"), "hello\n".repeat(500))?;
    fs::write(target.path("empty"), "")?;
    for program in ["gzip", "xz", "zstd"] {
        let mut pack = Command::new(program);
        pack.arg("-c").stdin(fs::File::open(target.path("whole"))?);
        let mut packed = pack.stderr(Stdio::inherit()).output()?.stdout;
        packed.truncate(packed.len() - 4);
        fs::write(target.path(program), packed)?;
    }
    for name in ["short", "text", "empty", "gzip", "xz", "zstd", "missing"] {
        let words = target.fail(&["rootfs", name])?;
        assert_eq!(words.contains("cut short"), name == "short", "{words}");
        assert_eq!(target.images()?, [""; 0], "{name}");
    }
    target.run(&["rootfs", "whole"])?;
    assert_eq!(target.images()?, ["whole"]);
    Ok(())
}

#[test]
fn an_old_docker_archive_is_explained() -> Result<()> {
    let (_, answer) = import(&[
        (Regular, "manifest.json", "[]"),
        (Regular, "0/layer.tar", ""),
    ])?;
    let words = answer.expect_err("it was imported").to_string();
    assert!(words.contains("skopeo copy docker-archive:"), "{words}");
    Ok(())
}

/// Answers one request with `body` and returns the address.
fn serve(body: Vec<u8>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 4096];
        let count = stream.read(&mut request)?;
        let found = request[..count].starts_with(b"GET /image.tar.gz ");
        let status = if found { "200 OK" } else { "404 Not Found" };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        )?;
        Ok(stream.write_all(&body)?)
    });
    Ok(format!("http://{address}"))
}

/// The SHA-256 that coreutils finds.
fn sha256_of(path: &Path) -> Result<String> {
    let text = output_of(witness::command("sha256sum").arg(path).output()?)?;
    let hex = text.split_whitespace().next();
    hex.map(String::from).context("sha256sum printed nothing")
}

#[test]
fn a_download_is_kept_only_with_the_right_hash() -> Result<()> {
    let target = Target::new()?;
    real_tar(&target, &["--gzip"])?;
    let tar = target.path("image.tar");
    let right = sha256_of(&tar)?;
    let wrong = right.replace(['1', '2', '3'], "0");
    let get = |path: &str, hash: &str| -> Result<String> {
        let url = serve(fs::read(&tar)?)? + path;
        target.run(&["rootfs", &url, "--sha256", hash])
    };
    let words = get("/image.tar.gz", &wrong).expect_err("wrong hash");
    let words = words.to_string();
    assert!(words.contains(&right) && words.contains(&wrong), "{words}");
    let words = get("/other", &right).expect_err("404").to_string();
    assert!(words.contains("404"), "{words}");
    assert_eq!(target.images()?, [""; 0]);
    get("/image.tar.gz", &right)?;
    assert_eq!(target.images()?, ["image"]);
    Ok(())
}

#[test]
fn an_address_needs_a_hash_and_a_server() -> Result<()> {
    let target = Target::new()?;
    let words = target.fail(&["rootfs", "http://127.0.0.1:9/x.tar"])?;
    assert!(words.contains("--sha256"), "{words}");
    let hash = "0".repeat(64);
    let url = "http://127.0.0.1:9/x.tar";
    let words = target.fail(&["rootfs", url, "--sha256", &hash])?;
    assert!(words.contains(&format!("fetch {url}: curl:")), "{words}");
    let mut command = target.command(&["rootfs", url, "--sha256", &hash]);
    let output = command.env("PATH", "/nowhere").output()?;
    let words = String::from_utf8(output.stderr)?;
    ensure!(words.contains("run curl to fetch"), "{words}");
    assert_eq!(target.images()?, [""; 0]);
    Ok(())
}

#[test]
fn the_hash_of_a_local_file_is_checked_too() -> Result<()> {
    let target = Target::new()?;
    real_tar(&target, &[])?;
    let right = sha256_of(&target.path("image.tar"))?;
    let wrong = "0".repeat(64);
    target.fail(&["rootfs", "image.tar", "--sha256", &wrong])?;
    assert_eq!(target.images()?, [""; 0]);
    target.run(&["rootfs", "image.tar", "--sha256", &right])?;
    Ok(())
}

#[test]
fn an_interrupt_leaves_nothing_half_made() -> Result<()> {
    use nix::sys::signal::{Signal, kill};
    use std::os::unix::process::ExitStatusExt;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let target = Target::new()?;
        let mut command = target.command(&["rootfs", "-", "--name", "piped"]);
        // It waits for what stdin brings, and nothing comes.
        let mut import = command.stdin(Stdio::piped()).spawn()?;
        let half_made = format!("piped.new-{}", import.id());
        let half_made = target.path("images").join(half_made);
        witness::eventually("the import to begin", || {
            half_made.join("stream").exists()
        });
        let pid = nix::unistd::Pid::from_raw(import.id() as i32);
        kill(pid, signal)?;
        assert_eq!(import.wait()?.signal(), Some(signal as i32));
        // The control: SIGKILL leaves it to the next import.
        let is_left = signal == Signal::SIGKILL;
        assert_eq!(half_made.exists(), is_left, "{signal}");
    }
    Ok(())
}

#[test]
fn what_is_no_tar_is_not_shown() -> Result<()> {
    let target = Target::new()?;
    let text = "password: secret, and more of it\n".repeat(40);
    fs::write(target.path("file"), &text)?;
    let words = target.fail(&["rootfs", "file"])?;
    assert!(words.contains("it is no tar archive"), "{words}");
    assert!(!words.contains("secret"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
    Ok(())
}
