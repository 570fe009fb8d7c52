//! What is measured: each rung, and other programs that do the same.

use std::path::Path;

use super::bundle::Bundle;
use super::plan::Candidate;
use crate::elevate::find;
use crate::ladder::{LADDER, Rung};

/// A candidate, and its place in the table.
#[derive(Debug)]
pub struct Entry {
    /// How it is run.
    pub candidate: Candidate,
    /// With whom it is compared: what it has more is what it adds.
    pub base: Option<String>,
}

/// The first rung with a cable. It takes longer than all else and would drown
/// what comes after it; so from here on the rungs are measured without it, and
/// the last one once more with it.
const FIRST_WITH_CABLE: u8 = 5;
const NO_CABLE: &[&str] = &["--network", "none"];

/// One way to measure a rung.
struct Measured {
    name: String,
    rung: &'static Rung,
    flags: &'static [&'static str],
    base: String,
}

/// The ladder, as it is measured: each rung beside the one below it.
fn ladder() -> Vec<Measured> {
    let mut all = Vec::new();
    let mut base = "plain".to_owned();
    for rung in commanded() {
        let (name, bare) = (rung.name(), format!("{} *", rung.name()));
        let with = |name: &str, flags| {
            let (name, base) = (name.to_owned(), base.clone());
            Measured { name, rung, flags, base }
        };
        if rung.number <= FIRST_WITH_CABLE {
            all.push(with(&name, &[]));
        }
        if rung.number >= FIRST_WITH_CABLE {
            all.push(with(&bare, NO_CABLE));
        }
        base = if rung.number < FIRST_WITH_CABLE { name } else { bare };
    }
    if let Some(last) = commanded().last() {
        let name = last.name();
        all.push(Measured { name, rung: last, flags: &[], base });
    }
    all
}

/// The rungs that are given a command. What takes a bundle is beside its like.
fn commanded() -> impl Iterator<Item = &'static Rung> {
    LADDER.iter().filter(|rung| rung.takes_command())
}

/// A plain process, and the ladder.
pub fn rungs(release: &Path, root: &str) -> Vec<Entry> {
    let outside = |name: &str| vec![format!("{root}/bin/{name}")];
    let plain = Candidate {
        name: "plain".into(),
        quick: outside("true"),
        wait: outside("cat"),
    };
    let mut entries = vec![Entry { candidate: plain, base: None }];
    for Measured { name, rung, flags, base } in ladder() {
        let program = release.join(rung.name()).display().to_string();
        // The first three rungs see the machine's files, not the new root.
        let folder = if rung.number < 3 { root } else { "" };
        let with = |command: &str| {
            let command = format!("{folder}/bin/{command}");
            let mut words = vec![program.clone()];
            // The rung that keeps records of containers is to keep none.
            let subcommand = rung.subcommand.map(|word| [word, "--rm"]);
            let subcommand = subcommand.into_iter().flatten();
            let flags = subcommand.chain(["-q"]).chain(flags.iter().copied());
            words.extend(flags.map(str::to_owned));
            words.push(command);
            words
        };
        let candidate =
            Candidate { name, quick: with("true"), wait: with("cat") };
        entries.push(Entry { candidate, base: Some(base) });
    }
    entries
}

/// Other programs that start containers, as far as they are installed; and
/// the rung that takes a bundle, beside its like.
pub fn peers(release: &Path, root: &str, bundle: &Bundle) -> Vec<Entry> {
    let unshare = "unshare --mount --uts --ipc --net --pid --cgroup --fork \
                   --root";
    let bubblewrap = "bwrap --unshare-all --proc /proc --dev /dev --bind";
    let podman = "podman run --rm -i --network none --rootfs";
    let mut found = vec![
        peer("unshare", unshare, &[root]),
        peer("bubblewrap", bubblewrap, &[root, "/"]),
        peer("podman", podman, &[root]),
    ];
    for runtime in ["step12", "crun", "runc"] {
        let name = format!("workshop-measure-{}", std::process::id());
        let run = |what: &str| {
            let folder = bundle.folder(what).display().to_string();
            ["run".into(), "--bundle".into(), folder, name.clone()]
        };
        let words = |what: &str| {
            let first = match runtime {
                "step12" => release.join(runtime).display().to_string(),
                _ => runtime.to_owned(),
            };
            let first = std::iter::once(first);
            first.chain(run(what)).collect()
        };
        found.push(Candidate {
            name: runtime.into(),
            quick: words("true"),
            wait: words("cat"),
        });
    }
    let here = found.into_iter().filter(|peer| find(&peer.quick[0]).is_some());
    here.map(|candidate| Entry { candidate, base: None }).collect()
}

fn peer(name: &str, command: &str, more: &[&str]) -> Candidate {
    let with = |program: &str| {
        let words = command.split_whitespace().chain(more.iter().copied());
        let mut words: Vec<String> = words.map(String::from).collect();
        words.push(format!("/bin/{program}"));
        words
    };
    Candidate { name: name.into(), quick: with("true"), wait: with("cat") }
}

/// Docker, with an image that it already has: nothing is downloaded. Its
/// daemon starts the processes, so their memory is not known.
pub fn docker() -> Option<Entry> {
    let mut list = std::process::Command::new(find("docker")?);
    let list =
        list.args(["image", "ls", "--format", "{{.ID}} {{.Repository}}"]);
    let list = String::from_utf8(list.output().ok()?.stdout).ok()?;
    // These images are known to have a `true`.
    let known = ["busybox", "alpine", "debian", "ubuntu"];
    let image = list.lines().find_map(|line| {
        let (id, name) = line.split_once(' ')?;
        known.contains(&name).then(|| id.to_owned())
    })?;
    let command = "docker run --rm --network none --entrypoint /bin/true";
    let words = command.split(' ').map(String::from);
    let quick = words.chain([image]).collect();
    let candidate =
        Candidate { name: "docker".into(), quick, wait: Vec::new() };
    Some(Entry { candidate, base: None })
}

/// The virtual machine, if it has been used before: otherwise its disk would
/// have to be made first. The learner starts it, not root.
pub fn machine(target: &Path) -> Option<Entry> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = script.ancestors().nth(2)?.join("scripts/vm");
    let mut images = target.join("vm").read_dir().ok()?.flatten();
    let is_disk =
        |name: &Path| name.metadata().is_ok_and(|m| m.len() > 1 << 20);
    images.find(|entry| is_disk(&entry.path()))?;
    let with = |program: &str| {
        let words = [&script.display().to_string(), "-q", "--", program];
        words.map(String::from).to_vec()
    };
    let candidate = Candidate {
        name: "scripts/vm".into(),
        quick: with("true"),
        wait: with("cat"),
    };
    Some(Entry { candidate, base: None })
}
