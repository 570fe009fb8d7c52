//! Random config.json: whatever an engine, or somebody in its place, writes
//! there. There is no panic, no hang, one error that says what is wrong,
//! status 1, and nothing left: no state, no process, no group, and nothing
//! written outside the root. What is right by chance can be started, killed
//! and deleted.
//!
//! Here some hundred runs, always the same; `.ci/fuzz N` makes as many as you
//! like. What fails is printed with its seed: `.ci/fuzz 1 SEED` does it again.

mod confine;
mod mutate;
mod run;

#[allow(dead_code, reason = "each test takes what it needs")]
#[path = "../../../workshop/tests/fuzz/random.rs"]
mod random;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use random::{Random, seeds};
use run::Place;
use serde_json::{Value, json};

/// Each is right; a test sees to it.
const CONFIGS: [&str; 4] = [
    include_str!("configs/plain.json"),
    include_str!("configs/full.json"),
    include_str!("configs/users.json"),
    include_str!("configs/shared.json"),
];

/// The folder of the bundle, what it may use, and what it may not.
fn furnish(folder: &Path) -> Result<()> {
    furnish_root(folder, &folder.join("bundle/rootfs"))?;
    let owned = folder.join("bundle/owned");
    furnish_root(folder, &owned)?;
    // For who is root in a user namespace only.
    if geteuid().is_root() {
        let mut chown = witness::command("chown");
        chown.args(["-Rh", "100000:100000"]).arg(owned);
        ensure!(witness::output(&mut chown).status.success(), "chown");
    }
    fs::create_dir_all(folder.join("bundle/given/sub"))?;
    fs::write(folder.join("bundle/given/file"), "given\n")?;
    symlink("file", folder.join("bundle/given/link"))?;
    fs::create_dir_all(folder.join("outside/sub"))?;
    fs::write(folder.join("outside/sub/file"), "untouched\n")?;
    Ok(())
}

/// A root with one program, and traps.
fn furnish_root(folder: &Path, rootfs: &Path) -> Result<()> {
    for name in ["bin", "etc", "tmp", "proc", "dev"] {
        fs::create_dir_all(rootfs.join(name))?;
    }
    fs::write(rootfs.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n")?;
    symlink("../../../outside", rootfs.join("escape"))?;
    symlink(folder.join("outside"), rootfs.join("absolute"))?;
    symlink("loop", rootfs.join("loop"))?;
    // Statically linked, or it starts nothing in there.
    if let Some(busybox) = witness::find("busybox") {
        fs::copy(busybox, rootfs.join("bin/true"))?;
    }
    Ok(())
}

/// All that lies in a folder: names, kinds, modes, owners, times.
fn look(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let data = path.symlink_metadata()?;
            let (mode, uid, time) = (data.mode(), data.uid(), data.mtime());
            found.push(format!("{} {mode:o} {uid} {time}", path.display()));
            if data.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The groups of this test, which go with it. Those of a container must be
/// gone before; those above them stay, as other containers may be in them.
struct Groups(String);

impl Groups {
    /// The innermost first.
    fn find(&self) -> Vec<String> {
        let mut find = witness::command("find");
        let name = format!("/sys/fs/cgroup/*/{}*", self.0);
        let below = format!("/sys/fs/cgroup/*{}*", self.0);
        find.args(["/sys/fs/cgroup", "-depth", "-type", "d", "("]);
        find.args(["-path", &name, "-o", "-path", &below, ")"]);
        let output = witness::output(&mut find);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// # Errors
    /// A container's group is left, or a process in one of them.
    fn check(&self) -> Result<()> {
        let left = self.find();
        let is_leaf = |path: &&String| {
            ["/plain", "/full", "/users", "/shared"]
                .iter()
                .any(|it| path.ends_with(it))
        };
        let leaf = left.iter().find(is_leaf);
        ensure!(leaf.is_none(), "the group {leaf:?} is left");
        Ok(())
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in self.find() {
            let _ = fs::remove_dir(group);
        }
    }
}

/// A config.json that is wrong somewhere, or by chance is not.
fn config(random: &mut Random, group: &str) -> Vec<u8> {
    let all: [Value; 4] =
        CONFIGS.map(|text| serde_json::from_str(text).unwrap());
    let mut config: Value = all[random.below(all.len())].clone();
    mutate::mutate(random, &mut config, &all);
    // A bundle whose root is the machine's is nobody's mistake here.
    if let Some(path) = config.pointer_mut("/root/path") {
        let text = path.as_str().unwrap_or_default();
        if text.starts_with('/') || text.contains("..") {
            *path = json!("nonexistent");
        }
    }
    let text = mutate::text(random, &config);
    let text = String::from_utf8_lossy(&text).replace("GROUP", group);
    text.into_bytes()
}

/// What `exec` reads: the part of a config.json that tells of a process.
fn process(random: &mut Random) -> Vec<u8> {
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let all = CONFIGS.map(read);
    let mut process = all[random.below(all.len())]["process"].clone();
    if random.percent(80) {
        mutate::mutate(random, &mut process, &all);
    }
    mutate::text(random, &process)
}

/// Reaps what was left to this process, as an engine does. Is all gone?
fn reap() -> bool {
    loop {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return false,
            Ok(_) => {}
            Err(_) => return true,
        }
    }
}

/// Creates a container, and whatever comes of it.
fn try_one(place: &Place, random: &mut Random, id: &str) -> Result<i32> {
    let pid_file = place.path("pid");
    let _ = fs::remove_file(&pid_file);
    let mut create = vec!["create", "--bundle", "bundle", "--pid-file", "pid"];
    if random.percent(5) {
        create.extend(["--console-socket", "nobody"]);
    }
    create.push(id);
    let created = place.step12(&create).context("create")?;
    fs::write(place.path("create-says"), &created.words)?;
    if created.status == 1 {
        ensure!(!pid_file.exists(), "create has left its pid file");
        let state = place.step12(&["state", id]).context("state")?;
        ensure!(state.status == 1, "create failed and left a state");
        return Ok(1);
    }
    // A capability that there is not is a warning.
    let is_right = |line: &str| line.starts_with("ignoring unknown");
    let words = &created.words;
    ensure!(words.lines().all(is_right), "create says {words:?}");
    let pid: i32 = fs::read_to_string(&pid_file)?.trim().parse()?;
    let state = place.step12(&["state", id]).context("state")?;
    ensure!(state.status == 0, "there is no state: {}", state.words);
    let text = fs::read_to_string(place.path("out"))?;
    let state: Value = serde_json::from_str(&text)?;
    ensure!(state["pid"] == pid && state["id"] == id, "it tells {state}");
    if random.percent(30) {
        fs::write(place.path("process.json"), process(random))?;
        let exec = ["exec", "--detach", "--process", "process.json", id];
        place.step12(&exec).context("exec")?;
    }
    if random.percent(60) {
        place.step12(&["start", id]).context("start")?;
    }
    place.step12(&["kill", id, "9"]).context("kill")?;
    let deleted =
        place.step12(&["delete", "--force", id]).context("delete")?;
    ensure!(deleted.status == 0, "delete: {}", deleted.words);
    Ok(0)
}

/// What is looked at after each run.
struct Around {
    groups: Groups,
    outside: PathBuf,
    before: Vec<String>,
}

impl Around {
    fn new(folder: &Path, group: &str) -> Result<Around> {
        let outside = folder.join("outside");
        let before = look(&outside)?;
        Ok(Around { groups: Groups(group.to_owned()), outside, before })
    }

    /// # Errors
    /// Something is left, or was changed.
    fn check(&self, place: &Place) -> Result<()> {
        witness::eventually("no process is left", reap);
        let left = fs::read_dir(place.path("state")).map(Iterator::count);
        ensure!(left.unwrap_or(0) == 0, "a state is left");
        ensure!(look(&self.outside)? == self.before, "written outside");
        self.groups.check()
    }
}

#[test]
fn no_config_breaks_the_runtime() -> Result<()> {
    // Takes a turn: the other test would reap what this one has started.
    let _machine = witness::Machine::new();
    let folder = witness::Folder::new();
    furnish(folder.path())?;
    let place = Place::new(folder.path());
    let group = format!("workshop-fuzz-{}", std::process::id());
    let around = Around::new(folder.path(), &group)?;
    let mut count = [0, 0];
    for seed in seeds(150) {
        let random = &mut Random::new(seed);
        let text = config(random, &group);
        fs::write(place.path("bundle/config.json"), &text)?;
        let id = format!("{group}-{}", seed & 0xffff);
        let tried = try_one(&place, random, &id)
            .and_then(|status| around.check(&place).map(|()| status));
        let status = tried.inspect_err(|error| {
            // Now: what is left could hide it.
            let text: String =
                String::from_utf8_lossy(&text).chars().take(8000).collect();
            eprintln!("seed {seed}: {error:#}\n{text}");
        })?;
        count[usize::from(status == 0)] += 1;
    }
    let [wrong, right] = count;
    eprintln!("config.json: {wrong} wrong, {right} right");
    // Control: not all are wrong, where somebody may make containers.
    ensure!(!geteuid().is_root() || right > 0 || wrong < 20, "none is right");
    Ok(())
}

/// Control: nothing is wrong before the change.
#[test]
fn the_configs_are_right() -> Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    // Takes a turn: the other test would reap what this one has started.
    let _machine = witness::Machine::new();
    let folder = witness::Folder::new();
    furnish(folder.path())?;
    let place = Place::new(folder.path());
    let group = format!("workshop-fuzz-{}-right", std::process::id());
    let around = Around::new(folder.path(), &group)?;
    for (index, text) in CONFIGS.into_iter().enumerate() {
        let text = text.replace("GROUP", &group);
        fs::write(place.path("bundle/config.json"), text)?;
        let id = format!("{group}-{index}");
        let random = &mut Random::new(1);
        let status = try_one(&place, random, &id)?;
        let words = fs::read_to_string(place.path("create-says"))?;
        ensure!(status == 0, "config {index}: {words}");
        around.check(&place)?;
    }
    Ok(())
}
