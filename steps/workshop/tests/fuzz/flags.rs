//! Command lines: every flag that a program's own `--help` names, with values
//! of all kinds, right and wrong.
//!
//! As root each run has a mount namespace of its own, in which the machine's
//! files are read-only: a program that would write to them says so.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;
use witness::Machine;

use super::random::{Random, seeds};
use super::run::{Tally, Victim, program, run};
use super::target::{Target, output_of};

/// The statuses of a rung: the command's own (`true`: 0; killed by a limit
/// that was asked for), a wrong command line, an error of the rung, a command
/// that cannot be executed or is not there.
const OF_RUNGS: [i32; 9] = [0, 2, 125, 126, 127, 134, 137, 139, 159];

/// Those of the companion.
const OF_COMPANION: [i32; 3] = [0, 1, 2];

const VALUES: [&str; 72] = [
    "0",
    "1",
    "-1",
    "+1",
    "00",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "1e309",
    "0x10",
    "1.5",
    ".5",
    "NaN",
    "inf",
    "١",
    "1 ",
    "",
    "0K",
    "512K",
    "1M",
    "64M",
    "99999999999G",
    "-1M",
    "max",
    "K",
    "0-1",
    "0-",
    "-",
    ",",
    "0,,1",
    "1-0",
    "0-99999",
    "a",
    ".",
    "..",
    "/nonexistent",
    "no/such",
    "a\nb",
    "\u{1b}[31m",
    "/dev/null",
    "/etc/passwd",
    "--",
    "-x",
    "a:b",
    "::",
    ":",
    "a=b",
    "=",
    "A=B",
    "\u{202e}",
    "80:80",
    "0:0",
    "65536:1",
    "1:65536",
    "a:b:c:d",
    "0:0:1",
    "0:100000:65536",
    "0:1:0",
    "none",
    "host",
    "private",
    "all",
    "ALL",
    "SYS_ADMIN",
    "sys_admin",
    "default",
    "nofile=64",
    "nofile=x",
    "user.max_user_namespaces=1",
    "FOLDER",
];

#[test]
fn no_command_line_breaks_a_rung() -> Result<()> {
    let target = Target::new()?;
    let victim = Victim::new(target.path("outside"))?;
    let rungs: Vec<(String, Vec<String>)> = rungs()?;
    if rungs.is_empty() {
        eprintln!("no rung is built here: cargo build makes them");
        return Ok(());
    }
    // A root filesystem is made beside a rung, and step03 leaves mount points
    // in it: so each is a copy, in a folder that goes.
    fs::create_dir_all(target.path("debug"))?;
    for (rung, _) in &rungs {
        let mut copy = Command::new("cp");
        copy.arg(program(rung)).arg(target.path("debug"));
        output_of(copy.output()?)?;
    }
    let mut tally = Tally::default();
    let _machine = Machine::new();
    for seed in seeds(150) {
        let mut random = Random::new(seed);
        let (rung, flags) = &rungs[random.below(rungs.len())];
        let mut line = Vec::new();
        if rung == "step11" {
            line.extend(["run", "--rm"].map(OsString::from));
        }
        add_flags(&mut random, flags, &target, &mut line);
        line.push("-q".into());
        line.extend(["--", "true"].map(OsString::from));
        let mut command =
            confined(&target, &target.path("debug").join(rung), &line);
        let what = || format!("seed {seed}: {rung} {line:?}");
        let ended = run(&mut command).with_context(what)?;
        let is_known = OF_RUNGS.contains(&ended.status);
        ensure!(is_known, "{}: {}: {}", what(), ended.status, ended.words);
        let is_silent = ended.status == 125 && ended.words.is_empty();
        ensure!(!is_silent, "{}: it says nothing", what());
        victim.check().with_context(what)?;
        tally.note(ended.status);
    }
    tally.print("flags of the rungs");
    Ok(())
}

#[test]
fn no_command_line_breaks_the_companion() -> Result<()> {
    let target = Target::new()?;
    let victim = Victim::new(target.path("outside"))?;
    let binary = target.binary();
    let mut all = Vec::new();
    for command in ["rootfs", "peek", "hint", "solution", "doctor", "clean"] {
        let help = target.run(&[command, "--help"])?;
        all.push((command, flags_in(&help)));
    }
    all.push(("nonsense", Vec::new()));
    let mut tally = Tally::default();
    for seed in seeds(150) {
        let mut random = Random::new(seed);
        let (command, flags) = &all[random.below(all.len())];
        let mut line = vec![OsString::from(command)];
        add_flags(&mut random, flags, &target, &mut line);
        match random.below(4) {
            0 => line.push(value(&mut random, &target)),
            1 => line.push(random.one(&["1", "7", "step03", "a.tar"]).into()),
            _ => {}
        }
        let mut command = confined(&target, &binary, &line);
        let what = || format!("seed {seed}: workshop {line:?}");
        let ended = run(&mut command).with_context(what)?;
        let is_known = OF_COMPANION.contains(&ended.status);
        ensure!(is_known, "{}: {}: {}", what(), ended.status, ended.words);
        let is_silent = ended.status != 0 && ended.words.is_empty();
        // `doctor` says on stdout which rungs cannot run.
        ensure!(!is_silent || line[0] == "doctor", "{}: silent", what());
        let left = target.images()?;
        let left = left.iter().find(|name| name.contains(".new-"));
        ensure!(left.is_none(), "{}: {left:?} is left", what());
        victim.check().with_context(what)?;
        tally.note(ended.status);
    }
    tally.print("flags of the companion");
    Ok(())
}

/// The rungs that are built, and their flags.
fn rungs() -> Result<Vec<(String, Vec<String>)>> {
    let mut rungs = Vec::new();
    for number in 0..=11 {
        let name = format!("step{number:02}");
        // Without root most rungs make nothing; the first two need none.
        if !program(&name).exists() {
            continue;
        }
        let mut help = Command::new(program(&name));
        if number == 11 {
            help.arg("run");
        }
        let help = output_of(help.arg("--help").output()?)?;
        rungs.push((name, flags_in(&help)));
    }
    Ok(rungs)
}

/// Right values for what `--help` calls so.
fn fitting(kind: &str) -> &'static [&'static str] {
    match kind {
        "N" | "NUMBER" | "SECONDS" => &["1", "64", "0.5"],
        "SIZE" | "BYTES" | "BYTES/S" => &["64M", "1G"],
        "NAME" => &["box", "ALL", "NET_ADMIN"],
        "DIR" => &["/", "/etc", "."],
        "LIST" => &["0", "0-1"],
        "IP" => &["10.0.0.1", "::1"],
        "IPC" | "NETWORK" => &["none", "host", "private"],
        "PROFILE" => &["none", "default"],
        "K=V" => &["A=B", "A="],
        "NAME=SOFT[:HARD]" => &["nofile=64", "nproc=32:64"],
        "UID|NAME[:GID|GROUP]" => &["0", "1000:1000", "root", "nobody:5"],
        "INSIDE:OUTSIDE:COUNT" => &["0:100000:65536", "0:0:1"],
        "HOST:INSIDE" => &["18080:80", "18443:443"],
        "HOST:INSIDE[:ro]" => &["/etc:/x:ro", ".:/y"],
        "HEX" | "TAG" => &["00", "latest"],
        _ => &[],
    }
}

/// `--name`, and `--name=KIND` where it takes a value.
fn flags_in(help: &str) -> Vec<String> {
    let mut flags = Vec::new();
    for line in help.lines().map(str::trim) {
        let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
        let first = words.find(|word| !is_short(word));
        let Some(name) = first.filter(|word| word.starts_with("--")) else {
            continue;
        };
        let name = name.split(['[', '=']).next().unwrap_or(name);
        let kind = line.split_once(&format!("{name} <"));
        let kind = kind.and_then(|(_, rest)| rest.split('>').next());
        let kind = kind.map(|kind| format!("={kind}"));
        let is_unfit = matches!(name, "--help" | "--version" | "--detach");
        if !is_unfit && name.len() > 2 {
            flags.push(format!("{name}{}", kind.unwrap_or_default()));
        }
    }
    flags
}

fn is_short(word: &str) -> bool {
    word.len() == 2 && word.starts_with('-')
}

fn add_flags(
    random: &mut Random,
    flags: &[String],
    target: &Target,
    line: &mut Vec<OsString>,
) {
    for _ in 0..random.below(5) {
        if flags.is_empty() {
            return;
        }
        let flag = &flags[random.below(flags.len())];
        let mut word = OsString::from(flag);
        // Half of the values are of the kind that the flag is for.
        if let Some((name, kind)) = flag.split_once('=') {
            word = format!("{name}=").into();
            match fitting(kind) {
                [] => word.push(value(random, target)),
                _ if random.percent(50) => word.push(value(random, target)),
                fitting => word.push(random.one(fitting)),
            }
        }
        line.push(word);
    }
    if random.percent(3) {
        line.push("--bogus".into());
    }
}

fn value(random: &mut Random, target: &Target) -> OsString {
    match random.below(40) {
        0 => OsStr::from_bytes(b"\xff\xfe").to_owned(),
        1 => "a".repeat(256).into(),
        2 => "a/".repeat(2100).into(),
        3 => {
            let inside = random.one(&["/x", "/x/../y", "x", "/", "/etc:ro"]);
            format!("{}:{inside}", target.path("given").display()).into()
        }
        _ => match random.one(&VALUES) {
            "FOLDER" => target.path("given").into(),
            value => value.into(),
        },
    }
}

/// The program, where it can spoil nothing.
fn confined(target: &Target, program: &Path, line: &[OsString]) -> Command {
    let given = target.path("given");
    let _ = fs::create_dir_all(&given);
    let mut command = target.command(&[]);
    let folder = target.path("given");
    // The victim can be written to: that it is not is what is tried.
    let script = "mount --make-rprivate /; mount --bind \"$0\" \"$0\"; \
         mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro / || exit; \
         mount -o remount,bind,rw \"$0\"; cd \"$2\"; shift 2; exec \"$@\"";
    if geteuid().is_root() {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script]).arg(&target.0);
        unshare
            .arg(program.parent().and_then(Path::parent).unwrap_or(program));
        unshare.arg(&folder).arg(program).args(line);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => unshare.env(name, value),
                None => unshare.env_remove(name),
            };
        }
        unshare.env_remove("SUDO_UID").env_remove("SUDO_GID");
        return unshare;
    }
    command = Command::new(program);
    command.args(line).current_dir(folder);
    command.env("XDG_RUNTIME_DIR", target.path("own"));
    command.env("WORKSHOP_RUN", target.path("run"));
    command
}
