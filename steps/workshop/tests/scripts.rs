//! What the scripts do with names that others have chosen.

mod target;

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use nix::unistd::geteuid;
use target::{Target, names, output_of};

/// Runs `scripts/vm` with a machine that ends at once, in `target/cwd`, with
/// `target/tmp` for its temporary files.
fn vm(target: &Target) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = script.ancestors().nth(2).unwrap_or(script);
    let mut vm = Command::new(script.join("scripts/vm"));
    vm.arg("--image").arg(target.path("image")).args(["--", "true"]);
    vm.env("TMPDIR", target.path("tmp")).env("VM_ACCEL", "tcg");
    vm.env("CARGO_TARGET_DIR", target.path("empty"));
    let path = std::env::var("PATH").unwrap_or_default();
    vm.env("PATH", format!("{}:{path}", target.path("bin").display()));
    vm.current_dir(target.path("cwd")).output()?;
    Ok(())
}

/// Makes a folder of this name, an hour old, as somebody else.
fn plant(target: &Target, name: &str, user: u32) -> Result<()> {
    let script = "mkdir \"$0\" && touch -d '1 hour ago' \"$0\"";
    let mut shell = Command::new("setpriv");
    let (uid, gid) = (user.to_string(), user.to_string());
    shell.args(["--reuid", &uid, "--regid", &gid, "--clear-groups"]);
    shell.args(["sh", "-c", script, name]).current_dir(target.path("tmp"));
    output_of(shell.output()?).map(drop)
}

#[test]
fn vm_removes_no_folder_that_somebody_else_has_named() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: nobody else is there");
        return Ok(());
    }
    let target = Target::new()?;
    for name in ["tmp", "bin", "cwd/precious", "empty"] {
        fs::create_dir_all(target.path(name))?;
    }
    fs::set_permissions(target.path("tmp"), Permissions::from_mode(0o1777))?;
    fs::write(target.path("image"), "")?;
    for processor in ["x86_64", "aarch64", "i386"] {
        let name = format!("qemu-system-{processor}");
        let path = target.path("bin").join(name);
        fs::write(&path, "#!/bin/sh\nexit 0\n")?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    plant(&target, "workshop-vm.x\nprecious", 65534)?;
    plant(&target, "workshop-vm.theirs", 65534)?;
    // The control: what is ours goes, whatever it is called.
    plant(&target, "workshop-vm.y\nprecious", 0)?;
    plant(&target, "workshop-vm.ours", 0)?;
    vm(&target)?;
    assert_eq!(names(&target.path("cwd"))?, ["precious"]);
    let left = ["workshop-vm.theirs", "workshop-vm.x\nprecious"];
    assert_eq!(names(&target.path("tmp"))?, left);
    Ok(())
}

/// Names below /tmp that can be foretold can be taken by somebody else.
#[test]
fn nothing_has_a_fixed_name_in_tmp() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.ancestors().nth(2).unwrap_or(root);
    let mut git = Command::new("git");
    git.args(["grep", "-nE", r"temp_dir\(|[^2]>\s*/tmp/|\$\{TMPDIR"]);
    git.args([
        "--",
        "steps/*/src",
        "steps/*/tests",
        "scripts",
        ".ci",
        "book/*/src",
    ]);
    let output = match git.current_dir(root).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("no git: nothing can be looked for");
            return Ok(());
        }
        output => output?,
    };
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(found.contains("mktemp"), "the control: {found}");
    for line in found.lines() {
        let safe = ["mktemp", "find \"${TMPDIR", "steps/witness/"];
        let file = line.split(':').next().unwrap_or_default();
        let text = fs::read_to_string(root.join(file))?;
        // mkdtemp(3) makes a name up; in a test of room.rs one is taken.
        let well = safe.iter().any(|word| line.contains(word))
            || text.contains("mkdtemp(");
        assert!(well, "{line}");
    }
    Ok(())
}

/// An empty path would be the whole machine.
#[test]
fn vm_carries_nothing_that_is_not_there() -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = script.ancestors().nth(2).unwrap_or(script);
    for flag in ["--carry", "--image"] {
        let mut vm = Command::new(script.join("scripts/vm"));
        let output =
            vm.args([flag, "/no/such/file", "--", "true"]).output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{words}");
        assert!(words.contains("vm: there is no"), "{words}");
    }
    Ok(())
}
