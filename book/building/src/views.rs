//! What can be worn, and what is asked to see the difference.

use anyhow::{Result, bail};

/// Something to put on.
pub struct Primitive {
    pub id: &'static str,
    /// Its name on the page.
    pub name: &'static str,
    /// The rung that adds it.
    pub rung: usize,
    /// blind, cuff or gag; an overlay is neither.
    pub kind: &'static str,
    /// What it does, in half a sentence.
    pub does: &'static str,
}

/// In the order of the ladder.
#[rustfmt::skip]
pub const PRIMITIVES: &[Primitive] = &[
    Primitive { id: "uts", name: "UTS namespace", rung: 1, kind: "blind",
        does: "blind to the machine's name" },
    Primitive { id: "pid", name: "PID namespace", rung: 2, kind: "blind",
        does: "other processes have no number here" },
    Primitive { id: "mount", name: "mount namespace", rung: 3, kind: "blind",
        does: "another root directory, by pivot_root" },
    Primitive { id: "overlay", name: "overlayfs", rung: 4, kind: "sheet",
        does: "a shared image, and private writes" },
    Primitive { id: "network", name: "network namespace", rung: 5, kind: "blind",
        does: "interfaces of its own" },
    Primitive { id: "user", name: "user namespace", rung: 6, kind: "blind",
        does: "root inside, an ordinary user outside" },
    Primitive { id: "cgroup", name: "cgroup limits", rung: 7, kind: "cuff",
        does: "so much memory, CPU, processes, and no more" },
    Primitive { id: "seccomp", name: "seccomp filter", rung: 8, kind: "gag",
        does: "system calls that it may not make" },
    Primitive { id: "ipc", name: "IPC namespace", rung: 9, kind: "blind",
        does: "blind to the machine's queues and shared memory" },
    Primitive { id: "cgroupns", name: "cgroup namespace", rung: 9, kind: "blind",
        does: "blind to the tree of groups above it" },
    Primitive { id: "time", name: "time namespace", rung: 9, kind: "blind",
        does: "another uptime, here by ten days" },
    Primitive { id: "caps", name: "capabilities", rung: 10, kind: "gag",
        does: "root's powers left behind, no_new_privs" },
];

/// A choice of them, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worn(pub u32);

impl Worn {
    /// Reads their words, with commas between.
    pub fn parse(text: &str) -> Result<Worn> {
        let mut worn = Worn(0);
        for word in text.split(',').filter(|word| !word.is_empty()) {
            worn.0 |= match bit(word) {
                Some(bit) => bit,
                None => bail!("there is no {word} to put on"),
            };
        }
        Ok(worn)
    }

    /// All that rung `number` wears.
    pub fn of_rung(number: usize) -> Worn {
        let its = PRIMITIVES.iter().filter(|p| p.rung <= number);
        Worn(its.filter_map(|p| bit(p.id)).sum())
    }

    pub fn has(&self, id: &str) -> bool {
        bit(id).is_some_and(|bit| self.0 & bit != 0)
    }

    pub fn words(&self) -> Vec<&'static str> {
        let ids = PRIMITIVES.iter().map(|primitive| primitive.id);
        ids.filter(|id| self.has(id)).collect()
    }

    /// An overlay is mounted in the new root: without one there is nothing to
    /// stack.
    pub fn is_possible(&self) -> bool {
        self.has("mount") || !self.has("overlay")
    }

    /// proc shows the PID namespace of its mounter, and the kernel lets only
    /// the owner of that namespace mount it.
    pub fn is_refused(&self) -> bool {
        self.has("mount") && self.has("user") && !self.has("pid")
    }

    /// Which of `ids` are on: "101".
    pub fn key(&self, ids: &[&str]) -> String {
        let digit = |id: &&str| if self.has(id) { '1' } else { '0' };
        ids.iter().map(digit).collect()
    }
}

fn bit(id: &str) -> Option<u32> {
    PRIMITIVES.iter().position(|p| p.id == id).map(|place| 1 << place)
}

/// The process that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The process.
    Inside,
    /// Anyone on the machine, about that process. `$PID` is its number.
    Outside,
}

/// A command, and what its answer depends on.
#[derive(Debug)]
pub struct View {
    pub id: &'static str,
    pub side: Side,
    /// The card of the page on which it stands.
    pub card: &'static str,
    pub command: &'static str,
    /// All that makes a difference to the answer.
    pub on: &'static [&'static str],
}

/// In the order in which they are asked. The last ones leave something behind.
#[rustfmt::skip]
pub const VIEWS: &[View] = &[
    View { id: "hostname", side: Side::Inside, card: "Its name",
        command: "hostname", on: &["uts"] },
    View { id: "ps", side: Side::Inside, card: "Processes",
        command: "ps -e -o pid,user,args",
        on: &["pid", "mount", "user"] },
    View { id: "kill", side: Side::Inside, card: "Processes",
        command: "kill -0 $HOST && echo could",
        on: &["pid", "mount", "user"] },
    View { id: "root", side: Side::Inside, card: "Files",
        command: "mount | grep ' on / ' | cut -d' ' -f1-5",
        on: &["mount", "overlay"] },
    View { id: "ls", side: Side::Inside, card: "Files",
        command: "echo /*", on: &["mount"] },
    View { id: "letter", side: Side::Inside, card: "Files",
        command: "echo hello >/letter && cat /letter",
        on: &["mount", "user"] },
    View { id: "letters", side: Side::Outside, card: "Files",
        command: "ls /letter /srv/image/letter",
        on: &["mount", "overlay", "user"] },
    View { id: "ip", side: Side::Inside, card: "Network",
        command: "ip -4 -o addr | tr -s ' ' | cut -d' ' -f2-4",
        on: &["network"] },
    View { id: "sysnet", side: Side::Inside, card: "Network",
        command: "ls /sys/class/net", on: &["network", "mount"] },
    View { id: "links", side: Side::Outside, card: "Network",
        command: "ls /sys/class/net", on: &["network"] },
    View { id: "id", side: Side::Inside, card: "Users",
        command: "id", on: &["user", "mount"] },
    View { id: "owner", side: Side::Inside, card: "Users",
        command: "stat -c '%U owns %n' /", on: &["user", "mount", "overlay"] },
    View { id: "user", side: Side::Outside, card: "Users",
        command: "ps -o pid,user,args -p $PID", on: &["user"] },
    View { id: "nspid", side: Side::Outside, card: "Processes",
        command: "grep NSpid /proc/$PID/status", on: &["pid"] },
    View { id: "name", side: Side::Outside, card: "Its name",
        command: "hostname", on: &[] },
    View { id: "limits", side: Side::Outside, card: "What it may use",
        command: "(cd /sys/fs/cgroup/$GROUP && \
            grep . memory.max cpu.max pids.max)",
        on: &["cgroup"] },
    View { id: "group", side: Side::Outside, card: "Its group",
        command: "cat /proc/$PID/cgroup", on: &["cgroup"] },
    View { id: "meminfo", side: Side::Inside, card: "What it may use",
        command: "grep MemTotal /proc/meminfo", on: &[] },
    View { id: "mounting", side: Side::Inside, card: "What it may ask",
        command: "mount -t tmpfs none /tmp && echo done; \
            umount /tmp 2>/dev/null",
        on: &["mount", "user", "seccomp", "caps"] },
    View { id: "unshare", side: Side::Inside, card: "What it may ask",
        command: "unshare -U echo done", on: &["seccomp", "mount"] },
    View { id: "powers", side: Side::Inside, card: "What it may ask",
        command: "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status",
        on: &["seccomp", "caps"] },
    View { id: "ipcs", side: Side::Inside, card: "Shared memory",
        command: "cut -c12-50 /proc/sysvipc/shm", on: &["ipc"] },
    View { id: "cgroup", side: Side::Inside, card: "Its group",
        command: "cat /proc/self/cgroup", on: &["cgroup", "cgroupns"] },
    View { id: "uptime", side: Side::Inside, card: "Uptime",
        command: "cut -d' ' -f1 /proc/uptime", on: &["time"] },
    View { id: "memory", side: Side::Inside, card: "What it may use",
        command: "dd if=/dev/zero of=/dev/null bs=300M count=1 \
            2>/dev/null && echo had 300M",
        on: &["cgroup"] },
];
