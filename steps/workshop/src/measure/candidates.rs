//! Who is measured: each rung, and those who do the same.

use std::path::Path;

use super::bundle::Bundle;
use super::plan::Candidate;
use crate::elevate::find;

/// A candidate, and what it is beside.
#[derive(Debug)]
pub struct Entry {
    /// How it is run.
    pub candidate: Candidate,
    /// With whom it is compared: what it has more is what it adds.
    pub base: Option<&'static str>,
}

/// A rung's name, its flags, the one below it. From step05 on each rung has a
/// cable, which takes longer than all else and would drown what comes after
/// it; so they are measured without it, and the last one once more with it.
const RUNGS: [(&str, &str, &[&str], &str); 14] = [
    ("step00", "step00", &[], "plain"),
    ("step01", "step01", &[], "step00"),
    ("step02", "step02", &[], "step01"),
    ("step03", "step03", &[], "step02"),
    ("step04", "step04", &[], "step03"),
    ("step05", "step05", &[], "step04"),
    ("step05 *", "step05", NO_CABLE, "step04"),
    ("step06 *", "step06", NO_CABLE, "step05 *"),
    ("step07 *", "step07", NO_CABLE, "step06 *"),
    ("step08 *", "step08", NO_CABLE, "step07 *"),
    ("step09 *", "step09", NO_CABLE, "step08 *"),
    ("step10 *", "step10", NO_CABLE, "step09 *"),
    ("step11 *", "step11", NO_CABLE, "step10 *"),
    ("step11", "step11", &[], "step11 *"),
];
const NO_CABLE: &[&str] = &["--network", "none"];

/// The programs of the ladder.
pub fn programs() -> Vec<&'static str> {
    let mut programs: Vec<_> = RUNGS.iter().map(|rung| rung.1).collect();
    programs.dedup();
    programs
}

/// A process as it is, and the ladder.
pub fn rungs(release: &Path, root: &str) -> Vec<Entry> {
    let outside = |name: &str| vec![format!("{root}/bin/{name}")];
    let plain = Candidate {
        name: "plain".into(),
        quick: outside("true"),
        wait: outside("cat"),
    };
    let mut entries = vec![Entry { candidate: plain, base: None }];
    for (name, rung, flags, base) in RUNGS {
        let program = release.join(rung).display().to_string();
        let run: &[&str] = if rung == "step11" { &["run"] } else { &[] };
        // The first three rungs see the machine's files, not the new root.
        let folder = if rung < "step03" { root } else { "" };
        let with = |command: &str| {
            let command = format!("{folder}/bin/{command}");
            let mut words = vec![program.clone()];
            let flags = run.iter().chain(&["-q"]).chain(flags);
            words.extend(flags.map(|word| (*word).to_owned()));
            words.push(command);
            words
        };
        let candidate = Candidate {
            name: name.into(),
            quick: with("true"),
            wait: with("cat"),
        };
        entries.push(Entry { candidate, base: Some(base) });
    }
    entries
}

/// Others who start containers, as far as they are here.
pub fn peers(root: &str, bundle: &Bundle) -> Vec<Entry> {
    let unshare = "unshare --mount --uts --ipc --net --pid --cgroup --fork \
                   --root";
    let bubblewrap = "bwrap --unshare-all --proc /proc --dev /dev --bind";
    let podman = "podman run --rm -i --network none --rootfs";
    let mut found = vec![
        peer("unshare", unshare, &[root]),
        peer("bubblewrap", bubblewrap, &[root, "/"]),
        peer("podman", podman, &[root]),
    ];
    for runtime in ["crun", "runc"] {
        let name = format!("workshop-measure-{}", std::process::id());
        let run = |what: &str| {
            let folder = bundle.folder(what).display().to_string();
            ["run".into(), "--bundle".into(), folder, name.clone()]
        };
        let words = |what: &str| {
            let first = std::iter::once(runtime.to_owned());
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

/// Docker with an image that it has already; nothing is downloaded. Its
/// processes are its daemon's, so their memory is not known.
pub fn docker() -> Option<Entry> {
    let mut list = std::process::Command::new(find("docker")?);
    let list =
        list.args(["image", "ls", "--format", "{{.ID}} {{.Repository}}"]);
    let list = String::from_utf8(list.output().ok()?.stdout).ok()?;
    // An image that is known to have a `true`.
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

/// The virtual machine, where it was used before: else its disk would have to
/// be made first. It is started by the learner, not by root.
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
