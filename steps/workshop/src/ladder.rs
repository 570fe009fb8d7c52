//! The ladder: its rungs, and what belongs to the exercise of each.
//!
//! Interface: [`LADDER`], the one table; [`print()`], the same for scripts
//! (`cargo workshop ladder`).
//!
//! Texts are compiled in, so that a lost file can be brought back. The learner's
//! own exercise is not among them: it is read where it lies, when it is asked
//! about, and may be anything.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use nix::errno::Errno;
use step00::Advice;

use crate::challenge::{self, Challenge};
use crate::check::{self, Look};

/// One rung.
#[derive(Debug, Clone, Copy)]
pub struct Rung {
    /// Its number, for good.
    pub number: u8,
    /// What it adds to the rung below.
    pub adds: &'static str,
    /// The name of the file that holds the primitive.
    pub primitive: &'static str,
    /// The name of the file that tells what it does from top to bottom.
    pub story: &'static str,
    /// The subcommand that makes a container, where it has several. `run` is
    /// given a command, and `create` a bundle.
    pub subcommand: Option<&'static str>,
    /// The functions of the exercise that are written even in a short lesson,
    /// where the others are given: `workshop start N --half`.
    pub essential: &'static [&'static str],
    /// What of a process this rung is the first to change: a namespace in
    /// /proc/PID/ns, a line of /proc/PID/status, or `root` for the filesystem
    /// on `/`. `None`: there is no single such thing.
    pub changes: Option<&'static str>,
    /// The file with the primitive: the reference.
    pub solution: &'static str,
    /// The exercise as it came, in a copy: when this is compiled, the learner
    /// may long have written in the other one. `tests/teaching.rs` compares.
    pub untouched: &'static str,
    /// The hints, as Markdown.
    pub hints: &'static str,
    /// What there is to do beyond the exercise.
    pub challenges: &'static [Challenge],
    /// Their texts and hints, as Markdown.
    pub tasks: &'static str,
    /// What `check` looks at.
    pub(crate) look: Look,
}

macro_rules! rung {
    ($number:literal, $name:ident, $primitive:literal, $essential:expr,
     $adds:literal) => {
        Rung {
            number: $number,
            adds: $adds,
            primitive: $primitive,
            story: "main",
            subcommand: None,
            essential: &$essential,
            changes: None,
            solution: include_str!(concat!(
                "../../",
                stringify!($name),
                "/src/",
                $primitive,
                ".rs"
            )),
            untouched: include_str!(concat!(
                "../../",
                stringify!($name),
                "/exercise/untouched.rs"
            )),
            hints: include_str!(concat!(
                "../../",
                stringify!($name),
                "/exercise/hints.md"
            )),
            challenges: challenge::$name::CHALLENGES,
            tasks: include_str!(concat!(
                "../../",
                stringify!($name),
                "/exercise/challenges.md"
            )),
            look: check::$name::look,
        }
    };
}

/// All rungs, from the ground up. Whatever else lists them reads this table or
/// is compared with it: a new rung is its folder, its check and a row here.
#[rustfmt::skip]
pub static LADDER: &[Rung] = &[
    rung!(0, step00, "process", ["fork"],
        "fork, exec, wait: no isolation at all"),
    Rung { changes: Some("uts"),
        ..rung!(1, step01, "uts", ["set_hostname"],
            "UTS namespace: a hostname of its own") },
    Rung { changes: Some("pid"),
        ..rung!(2, step02, "pid", ["run_as_init"],
            "PID namespace: being PID 1") },
    Rung { changes: Some("mnt"),
        ..rung!(3, step03, "root", ["pivot"],
            "mount namespace, pivot_root: another /") },
    Rung { changes: Some("root"),
        ..rung!(4, step04, "overlay", ["mount_overlay"],
            "overlayfs: a shared image") },
    Rung { changes: Some("net"),
        ..rung!(5, step05, "network", ["plug_in"],
            "network namespace: veth, routes, NAT") },
    Rung { changes: Some("user"),
        ..rung!(6, step06, "user", ["write_maps"],
            "user namespace: root without being root") },
    rung!(7, step07, "cgroup", ["limit"],
        "control groups: the handcuffs"),
    Rung { changes: Some("Seccomp"),
        ..rung!(8, step08, "seccomp", ["architecture_check", "install"],
            "seccomp: words it cannot say") },
    Rung { changes: Some("ipc"),
        ..rung!(9, step09, "ipc", ["mount_queues"],
            "the last blindfolds: ipc, cgroup, time") },
    Rung { changes: Some("NoNewPrivs"),
        ..rung!(10, step10, "privileges", ["limit_bounding"],
            "capabilities: root without powers") },
    Rung { story: "run", subcommand: Some("run"),
        ..rung!(11, step11, "enter", ["join"],
            "setns, pidfd: walking back in") },
    Rung { story: "create", subcommand: Some("create"),
        ..rung!(12, step12, "gate", ["open"],
            "an OCI runtime: the two halves of a start") },
];

/// The number of the highest rung.
pub const LAST: u8 = LADDER[LADDER.len() - 1].number;

/// Prints a line for each rung, for scripts: its name, its primitive, its
/// story, its subcommand, what it changes, and what it adds. `-` stands for
/// what there is not.
///
/// # Errors
/// Those of the writer.
pub fn print(out: &mut impl Write) -> Result<()> {
    for rung in LADDER {
        let Rung { primitive, story, adds, .. } = rung;
        let subcommand = rung.subcommand.unwrap_or("-");
        let changes = rung.changes.unwrap_or("-");
        let name = rung.name();
        writeln!(
            out,
            "{name} {primitive} {story} {subcommand} {changes} {adds}"
        )?;
    }
    Ok(())
}

impl Rung {
    /// `step03`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("step{:02}", self.number)
    }

    /// The file that the learner writes in, as seen from the repository.
    #[must_use]
    pub fn exercise(&self) -> PathBuf {
        Path::new("steps").join(self.name()).join("src/exercise.rs")
    }

    /// Is it given a command, and not a bundle?
    #[must_use]
    pub fn takes_command(&self) -> bool {
        self.subcommand != Some("create")
    }

    /// The functions that are the learner's to write, in their order.
    #[must_use]
    pub fn functions(&self) -> Vec<&'static str> {
        unwritten(self.untouched)
    }
}

/// The functions whose bodies are left out of an exercise.
#[must_use]
pub fn unwritten(exercise: &str) -> Vec<&str> {
    let calls = exercise.split("unwritten(\"").skip(1);
    let names = calls.filter_map(|rest| rest.split_once("\", file!())"));
    names.map(|(name, _)| name).collect()
}

/// How a rung is named on the command line: `3`, `03` or `step03`.
#[derive(Debug, Clone, Copy)]
pub struct Which(pub &'static Rung);

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("step").unwrap_or(text).parse::<u8>();
        let found = LADDER.iter().find(|rung| number == Ok(rung.number));
        let which = found.map(Which);
        which.ok_or_else(|| format!("the rungs go from 0 to {LAST}"))
    }
}

/// The repository: the companion is always built in the one that it belongs
/// to. A test has a copy of its own.
#[derive(Debug, Clone)]
pub struct Repository(pub PathBuf);

impl Repository {
    /// Where the sources are.
    #[must_use]
    pub fn open(other: Option<PathBuf>) -> Repository {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let own = own.unwrap_or(Path::new("/")).to_path_buf();
        Repository(other.unwrap_or(own))
    }

    /// What the learner's exercise of this rung holds now.
    ///
    /// # Errors
    /// It is not there, or is no text.
    pub fn read_exercise(&self, rung: &Rung) -> Result<String> {
        let path = rung.exercise();
        fs::read_to_string(self.0.join(&path))
            .map_err(|error| match error.raw_os_error() {
                Some(number) => Errno::from_raw(number).into(),
                None => anyhow::Error::from(error),
            })
            .with_context(|| format!("read {}", path.display()))
            .advice(format!("cargo workshop reset {}", rung.number))
    }
}
