//! The checkout of the repository in which transcripts are typed.
//!
//! In the virtual machine it is a learner's: an ordinary user with sudo, in a
//! clone of the repository in that user's home, with a `cargo` that has built
//! everything already. On the host it is the repository itself. In the book's
//! page it is a terminal that some other program holds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::book::repository;
use crate::page::release;

/// The clone in the virtual machine.
const CLONE: &str = "/home/learner/workshop";
/// Room on a disk; /home may be small.
const COPY: &str = "/scratch/workshop";
const PROGRAMS: &str = "/run/learner-bin";
/// The root file system as it was made.
const PRISTINE: &str = "/scratch/pristine";
/// The kernel of the machine in the book's page: see scripts/page.
const PAGE_KERNEL: &str = "6.1";

/// Starts the binary as cargo would after a build: through the runner of
/// .cargo/config.toml.
const CARGO: &str = r#"#!/bin/sh
cd /home/learner/workshop || exit
case $1 in
workshop) package=workshop ;;
run)
    while [ $# -gt 1 ] && [ "$2" != -- ]; do
        [ "$2" != -p ] || package=$3
        shift
    done
    [ $# -eq 1 ] || shift ;;
*) echo "cargo: this one has built all it can" >&2; exit 101 ;;
esac
shift
export CARGO_PKG_NAME="$package"
export CARGO_MANIFEST_DIR="$PWD/steps/$package"
exec scripts/as-root "target/debug/$package" "$@"
"#;

/// Where the shells start, and as which user.
pub struct Checkout {
    folder: PathBuf,
    is_machine: bool,
    /// What is started in place of a shell: the way to one.
    through: Option<PathBuf>,
}

impl Checkout {
    /// The repository on this machine, as the calling user.
    pub fn host() -> Checkout {
        Checkout { folder: repository(), is_machine: false, through: None }
    }

    /// Wherever this program leads to: its terminal is one that has a bash in
    /// it already, and it ends when that bash does.
    pub fn through(program: PathBuf) -> Checkout {
        let mut checkout = Checkout::host();
        checkout.through = Some(program);
        checkout
    }

    /// The learner's checkout in the virtual machine.
    ///
    /// # Errors
    /// Outside of it: what is done here is done to the machine.
    pub fn machine() -> Result<Checkout> {
        // scripts/vm-init keeps the command there that it was to run.
        if !Path::new("/run/command").exists() {
            bail!("only in the workshop's virtual machine: scripts/vm");
        }
        let checkout =
            Checkout { folder: CLONE.into(), is_machine: true, through: None };
        // From here on process numbers have four digits: see `varies`.
        fs::write("/proc/sys/kernel/ns_last_pid", "2000")
            .context("count processes from 2000 on")?;
        fs::create_dir_all(PROGRAMS)?;
        let cargo = format!("{PROGRAMS}/cargo");
        fs::write(&cargo, CARGO)?;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
        clone_repository()?;
        // On first need it would be made in the middle of a transcript.
        let made = checkout
            .learner(&["cargo", "workshop", "rootfs"])
            .current_dir(CLONE)
            .output()
            .context("make the root file system")?;
        if !made.status.success() {
            bail!("rootfs: {}", String::from_utf8_lossy(&made.stderr));
        }
        run("cp -a \"$1/target/rootfs\" \"$2\"", &[CLONE, PRISTINE])?;
        Ok(checkout)
    }

    /// Puts things in their places for the next page: some pages leave a
    /// folder in the root file system.
    ///
    /// # Errors
    /// When that cannot be made anew.
    pub fn tidy(&self) -> Result<()> {
        if !self.is_machine {
            return Ok(());
        }
        let script = "rm -rf \"$1/target/rootfs\" && \
            cp -a \"$2\" \"$1/target/rootfs\"";
        run(script, &[CLONE, PRISTINE])
    }

    /// Major and minor number of the kernel that answers.
    ///
    /// # Errors
    /// When it cannot be read from its name.
    pub fn kernel(&self) -> Result<(u32, u32)> {
        let path = "/proc/sys/kernel/osrelease";
        let text = match &self.through {
            Some(_) => PAGE_KERNEL.to_owned(),
            None => fs::read_to_string(path).with_context(|| path)?,
        };
        release(&text).with_context(|| format!("read the release {text:?}"))
    }

    /// An interactive bash in this checkout that reads no start-up file.
    pub fn shell(&self) -> Command {
        if let Some(program) = &self.through {
            return Command::new(program);
        }
        let bash = ["bash", "--norc", "--noprofile", "--noediting", "-i"];
        let mut command = if self.is_machine {
            self.learner(&bash)
        } else {
            let mut command = Command::new(bash[0]);
            command.args(&bash[1..]).env("NO_COLOR", "1");
            command.env_remove("RUST_BACKTRACE");
            command
        };
        command.current_dir(&self.folder);
        command
    }

    fn learner(&self, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=learner", "--regid=learner", "--init-groups"])
            .args(words)
            .env_clear()
            .env("PATH", format!("{PROGRAMS}:/usr/bin:/bin:/usr/sbin:/sbin"))
            .env("HOME", "/home/learner")
            .env("USER", "learner")
            .env("LANG", "C.UTF-8")
            .env("NO_COLOR", "1");
        command
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if self.is_machine {
            let _ = Command::new("umount").args(["--lazy", CLONE]).status();
            let _ = fs::remove_dir_all(COPY);
            let _ = fs::remove_dir_all(PRISTINE);
            let _ = fs::remove_dir_all(PROGRAMS);
        }
    }
}

/// A copy with the learner as its owner, so that nothing that is typed
/// changes the repository.
fn clone_repository() -> Result<()> {
    let script = r#"
        set -e
        mkdir -p "$2/target/debug" "$3"
        cd "$1"
        cp -r .cargo Cargo.* README.md book scripts steps "$2"
        cp target/debug/step?? target/debug/workshop target/debug/container \
            "$2/target/debug"
        [ ! -d target/rootfs ] || cp -a target/rootfs "$2/target"
        chown -R learner: "$2"
        mount --bind "$2" "$3"
    "#;
    let repository = repository();
    let repository = repository.to_str().context("a path in UTF-8")?;
    run(script, &[repository, COPY, CLONE])
}

/// Runs a script with bash, as this user.
fn run(script: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(arguments)
        .status()
        .context("start bash")?;
    if !status.success() {
        bail!("{status}: {script}");
    }
    Ok(())
}
