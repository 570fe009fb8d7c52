//! How long a container takes to start, run `true` and be gone: each rung
//! beside the one below it, and the whole beside bubblewrap.
//!
//! `scripts/bench` builds and runs it. Only ratios within one run mean
//! anything: the machine, its load and its kernel are in every number. So the
//! candidates take turns, in pairs: a slow second is slow for both.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each pair is run before it counts.
const WARM_UP: usize = 5;

/// How often each pair is run: WORKSHOP_ROUNDS, or 400 times.
fn rounds() -> usize {
    let rounds = std::env::var("WORKSHOP_ROUNDS").ok();
    rounds.and_then(|text| text.parse().ok()).unwrap_or(400)
}

/// A command line, and what it stands for.
struct Candidate {
    name: String,
    command: Vec<String>,
}

fn main() {
    let (release, rootfs) = folders();
    assert!(
        nix::unistd::geteuid().is_root(),
        "this takes root: scripts/bench"
    );
    let rung = |number: u8, flags: &[&str]| Candidate {
        name: format!("step0{number} {}", flags.join(" ")),
        command: [release.join(format!("step0{number}")).to_str(), Some("-q")]
            .into_iter()
            .flatten()
            .chain(flags.iter().copied())
            .chain(["/bin/true"])
            .map(String::from)
            .collect(),
    };
    let busybox = rootfs.join("usr/bin/busybox");
    let busybox = busybox.to_str().expect("a plain path");
    assert!(Path::new(busybox).exists(), "this takes busybox-static");
    let plain = Candidate {
        name: "no container".into(),
        command: vec![busybox.into(), "true".into()],
    };
    let rootfs = rootfs.to_str().expect("a plain path");
    let bubblewrap = Candidate {
        name: "bubblewrap --unshare-all".into(),
        command: ["bwrap", "--unshare-all", "--bind", rootfs, "/"]
            .into_iter()
            .chain(["--proc", "/proc", "--dev", "/dev", "/bin/true"])
            .map(String::from)
            .collect(),
    };
    let none = ["--network", "none"];
    let no_filter = ["--network", "none", "--seccomp", "none"];

    println!("median of {} rounds in turns, in milliseconds", rounds());
    println!("{:<25}{:>7}  {:<37}{:>7}{:>7}", "", "", "beside", "", "ratio");
    compare(&rung(0, &[]), &plain);
    compare(&rung(1, &[]), &rung(0, &[]));
    compare(&rung(2, &[]), &rung(1, &[]));
    compare(&rung(3, &[]), &rung(2, &[]));
    compare(&rung(4, &[]), &rung(3, &[]));
    compare(&rung(5, &none), &rung(4, &[]));
    compare(&rung(6, &none), &rung(5, &none));
    compare(&rung(7, &none), &rung(6, &none));
    compare(&rung(8, &none), &rung(8, &no_filter));
    println!();
    compare(&rung(8, &none), &bubblewrap);
    compare(&rung(8, &[]), &rung(8, &none));
    println!("\nof which, in this process:");
    parts();
}

/// Where the release binaries lie: beside this one's folder.
fn folders() -> (PathBuf, PathBuf) {
    let own = std::env::current_exe().expect("find this program");
    let release = own.ancestors().nth(2).expect("target/release").to_owned();
    assert!(release.join("step08").exists(), "build first: scripts/bench");
    let rootfs = release.parent().expect("target").join("rootfs");
    step03::rootfs::ensure(&rootfs).expect("make a root file system");
    (release, rootfs)
}

fn compare(one: &Candidate, other: &Candidate) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + rounds() {
        let pair = (time(one), time(other));
        if round >= WARM_UP {
            ones.push(pair.0);
            others.push(pair.1);
        }
    }
    let (median, base) = (middle(&mut ones), middle(&mut others));
    println!(
        "{:<25}{:>7.2}  {:<37}{:>7.2}{:>7.2}",
        one.name,
        milliseconds(median),
        other.name,
        milliseconds(base),
        median.as_secs_f64() / base.as_secs_f64()
    );
}

fn time(candidate: &Candidate) -> Duration {
    let (program, arguments) = candidate.command.split_first().expect("one");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).env_clear();
    command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    let start = Instant::now();
    let status = command.status();
    let time = start.elapsed();
    let status = status.unwrap_or_else(|e| panic!("start {program}: {e}"));
    assert!(status.success(), "{} failed: {status}", candidate.name);
    time
}

/// What the private network consists of, as this process sees it: how long
/// the calls take that plug in a cable and make the rule, and to undo them.
fn parts() {
    let (mut made, mut removed) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let start = Instant::now();
        let address = std::net::Ipv4Addr::new(10, 77, 255, 254);
        let rule = step05::nat::Masquerade::start("workshop-bench", address);
        made.push(start.elapsed());
        let start = Instant::now();
        drop(rule.expect("make a rule"));
        removed.push(start.elapsed());
    }
    for (what, times) in [("made", &mut made), ("removed", &mut removed)] {
        let time = milliseconds(middle(times));
        println!("  the rule for NAT is {what} in {time:.2}");
    }
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
