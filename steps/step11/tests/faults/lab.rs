//! A machine of these tests' own, so that a fault harms nothing else, and no
//! other container is taken for something left behind.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Pid;
use witness::{Machine, run};

use crate::STEP11;

/// Where the records of step11 are.
const RECORDS: &str = "/run/workshop";

/// A network with an uplink, and an empty /run.
pub struct Lab {
    machine: Machine,
}

impl Lab {
    /// Moves this process into it.
    pub fn new() -> Lab {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .expect("a test needs root");
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
            .expect("make every mount private");
        let kind = Some("tmpfs");
        mount(kind, "/run", kind, MsFlags::empty(), None::<&str>)
            .expect("cover /run");
        // Forwarding is borrowed of the interface of the default route.
        ip("link set lo up");
        ip("link add up0 type veth peer name up1");
        ip("address add 192.0.2.1/24 dev up0");
        ip("link set up0 up");
        ip("link set up1 up");
        ip("route add default via 192.0.2.2");
        Lab { machine: Machine::new() }
    }

    /// What has changed since the first run.
    pub fn changes(&self) -> BTreeSet<String> {
        self.machine.changes().into_iter().chain(records()).collect()
    }

    /// What is here and was not, or the other way round, and stays so. A
    /// process that was killed needs a moment, and its namespaces another one.
    pub fn leftovers(&self, known: &BTreeSet<String>) -> BTreeSet<String> {
        let start = Instant::now();
        loop {
            let now = self.changes();
            let gone = known.difference(&now);
            // One of the run before may still have been at its end.
            let gone = gone.filter(|what| !what.starts_with("+process"));
            let found: BTreeSet<String> =
                now.difference(known).chain(gone).cloned().collect();
            let is_over = start.elapsed() > Duration::from_secs(3);
            // These are removed by the next command only.
            let is_for_sweep = |what: &String| {
                what.starts_with("+cgroup") || what.starts_with("+record")
            };
            let waits_for_sweep = start.elapsed() > Duration::from_millis(50)
                && found.iter().all(is_for_sweep);
            if found.is_empty() || waits_for_sweep || is_over {
                return found;
            }
            reap();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What is left behind must be seen.
    pub fn control(&self) {
        let before = BTreeSet::new();
        assert!(self.leftovers(&before).is_empty());
        fs::create_dir_all(format!("{RECORDS}/left")).expect("leave a folder");
        let found = self.leftovers(&before);
        fs::remove_dir_all(RECORDS).expect("remove it");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(self.leftovers(&before).is_empty());
    }

    /// After all of it: is everything as it was?
    pub fn end(self) -> Option<String> {
        let left = self.leftovers(&BTreeSet::new());
        // Its own check would wait for what will not go away, and panic.
        std::mem::forget(self.machine);
        (!left.is_empty()).then(|| format!("left behind at last: {left:?}"))
    }

    /// The next command, which sweeps up what was left by the killed ones.
    pub fn sweep(&self) {
        let report = run(STEP11, &["run", "-q", "--rm", "true"]);
        assert_eq!(report.status, 0, "the next run: {}", report.stderr);
    }
}

fn records() -> Vec<String> {
    let entries = fs::read_dir(RECORDS).into_iter().flatten().flatten();
    entries
        .map(|entry| format!("+record {}", entry.path().display()))
        .chain(
            fs::exists(RECORDS).is_ok_and(|is| is).then(|| "+record".into()),
        )
        .collect()
}

fn ip(arguments: &str) {
    let status = witness::command("ip").args(arguments.split(' ')).status();
    assert!(status.expect("start ip").success(), "ip {arguments}");
}

/// Takes away the orphans of launchers that were killed, as the machine's init
/// does: a PID namespace does not end before all its dead are taken away.
pub fn reap() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    let anybody = Pid::from_raw(-1);
    while let Ok(status) = waitpid(anybody, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}
