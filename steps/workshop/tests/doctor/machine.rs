//! Folders that stand in for machines.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::answer::Report;

/// The files of a good machine: as a real one has them, where we look.
const FILES: &[(&str, &str)] = &[
    ("/proc/sys/kernel/osrelease", "6.12.9-amd64\n"),
    ("/proc/sys/kernel/arch", "x86_64\n"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "1\n"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0\n"),
    ("/proc/sys/kernel/seccomp/actions_avail", "kill_process errno allow\n"),
    ("/proc/sys/kernel/modules_disabled", "0\n"),
    ("/proc/sys/net/ipv4/ip_forward", "0\n"),
    ("/proc/sys/user/max_user_namespaces", "3858\n"),
    ("/proc/sys/user/max_net_namespaces", "3858\n"),
    ("/proc/sys/vm/memfd_noexec", "0\n"),
    ("/proc/filesystems", "nodev\tproc\n\text4\nnodev\tmqueue\n"),
    ("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme sse2\n"),
    (
        "/proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\n",
    ),
    ("/proc/self/cgroup", "0::/user.slice/user-1000.slice/a.scope\n"),
    ("/proc/self/status", STATUS),
    ("/proc/self/mountinfo", MOUNTS),
    ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n"),
    ("/sys/class/dmi/id/sys_vendor", "LENOVO\n"),
    ("/sys/class/dmi/id/product_name", "21HMCTO1WW\n"),
    ("/sys/kernel/security/lsm", "lockdown,capability,landlock,apparmor"),
    ("/sys/module/apparmor/parameters/enabled", "Y\n"),
    ("/lib/modules/6.12.9-amd64/modules.builtin", "kernel/a/b.ko\n"),
    ("/lib/modules/6.12.9-amd64/modules.dep", MODULES),
    ("/etc/os-release", "ID=debian\n"),
    ("/etc/subuid", "ann:100000:65536\n"),
    ("/usr/bin/sudo", ""),
    ("/usr/bin/busybox", ""),
    ("/usr/bin/newuidmap", ""),
    ("/usr/bin/qemu-system-x86_64", ""),
    ("/usr/bin/qemu-system-aarch64", ""),
    ("/usr/bin/mmdebstrap", ""),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", ""),
    ("/usr/bin/fakeroot", ""),
    ("/usr/bin/setpriv", ""),
    ("/sbin/mke2fs", ""),
    ("/sbin/apparmor_parser", ""),
];

/// Somebody with uid 1000 and the whole bounding set.
pub const STATUS: &str = "Name:\tworkshop\nUid:\t1000\t1000\t1000\t1000\n\
    CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\n";

/// Ordinary mounts. binfmt_misc is on an empty folder and covers nothing.
pub const MOUNTS: &str = "\
22 1 259:0 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
25 22 0:20 / /proc rw,nosuid - proc proc rw
26 22 0:21 / /sys rw,nosuid - sysfs sysfs rw
27 25 0:30 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw
32 26 0:26 / /sys/fs/cgroup rw,relatime shared:8 - cgroup2 cgroup2 rw
";

const MODULES: &str = "\
kernel/fs/overlayfs/overlay.ko.xz:
kernel/drivers/net/veth.ko.xz:
kernel/net/netfilter/nf_tables.ko.xz: kernel/net/netfilter/nfnetlink.ko.xz
kernel/net/netfilter/nft_masq.ko.xz: kernel/net/netfilter/nf_tables.ko.xz
";

/// The first namespaces, as include/linux/proc_ns.h numbers them.
const SPACES: [(&str, u32); 8] = [
    ("uts", 4026531838),
    ("pid", 4026531836),
    ("mnt", 4026531841),
    ("net", 4026531840),
    ("user", 4026531837),
    ("ipc", 4026531839),
    ("cgroup", 4026531835),
    ("time", 4026531834),
];

/// One of them; gone when the test ends.
pub struct Machine {
    pub root: PathBuf,
}

impl Machine {
    /// All rungs run on it.
    pub fn good() -> Machine {
        let path = std::env::temp_dir().join("workshop-doctor.XXXXXX");
        let machine = Machine { root: nix::unistd::mkdtemp(&path).unwrap() };
        for (path, text) in FILES {
            machine.write(path, text);
        }
        fs::create_dir_all(machine.path("/proc/self/ns")).unwrap();
        for (kind, number) in SPACES {
            machine.space(kind, number);
        }
        machine
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Makes or replaces a file.
    pub fn write(&self, path: &str, text: &str) -> &Machine {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Replaces words in a file.
    pub fn replace(&self, path: &str, old: &str, new: &str) -> &Machine {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "{path} has no {old}: {text}");
        self.write(path, &text.replace(old, new))
    }

    /// Removes a file or a folder.
    pub fn remove(&self, path: &str) -> &Machine {
        let path = self.path(path);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
        self
    }

    /// Puts us into this namespace.
    pub fn space(&self, kind: &str, number: u32) -> &Machine {
        let link = self.path(&format!("/proc/self/ns/{kind}"));
        let _ = fs::remove_file(&link);
        symlink(format!("{kind}:[{number}]"), link).unwrap();
        self
    }

    /// Another kernel, with its folder of modules.
    pub fn release(&self, release: &str) -> &Machine {
        let modules = self.path("/lib/modules");
        let own = modules.join(release);
        fs::rename(modules.join("6.12.9-amd64"), own).unwrap();
        self.write("/proc/sys/kernel/osrelease", &format!("{release}\n"))
    }

    fn run(&self, flags: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(["doctor", "--root"]).arg(&self.root).args(flags);
        witness::output(&mut command)
    }

    /// What the doctor says to programs.
    pub fn doctor(&self) -> Report {
        Report::read(&self.run(&["--json"]))
    }

    /// And to people.
    pub fn page(&self) -> String {
        let output = self.run(&[]);
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
