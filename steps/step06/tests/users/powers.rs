//! What root inside cannot do, though it has every capability there is.

use std::fs;
use std::process::Child;

use nix::mount::{MsFlags, mount};
use witness::{
    Covers, Folder, Machine, Running, eventually, process, run, start,
};

use crate::{IDENTITY, STEP06, as_root, program};

/// Whether a command inside succeeds, with these maps.
fn succeeds(flags: &[&str], script: &str) -> bool {
    let none = ["--network", "none"];
    succeeds_with_network(&[&none, flags].concat(), script)
}

fn succeeds_with_network(flags: &[&str], script: &str) -> bool {
    let alone = ["-u", "SUDO_UID", "-u", "SUDO_GID", STEP06, "-q"];
    let command = ["--", "sh", "-c", script];
    let report = run("env", &[&alone[..], flags, &command].concat());
    assert!(report.status < 125, "{script}: {}", report.stderr);
    report.status == 0
}

#[test]
fn it_cannot_write_to_the_machines_settings() {
    let _machine = Machine::new();
    // The value that is there already: nothing is changed by writing it.
    let script = "value=$(cat /proc/sys/kernel/panic) && \
        echo $value 2>/dev/null >/proc/sys/kernel/panic";
    assert!(!succeeds(&[], script));
    assert!(succeeds(&IDENTITY, script), "the control");
}

#[test]
fn it_cannot_read_the_launchers_memory_in_init() {
    let _machine = Machine::new();
    let look = |flags: &[&str]| {
        let script = "tr '\\0' '\\n' </proc/1/environ; readlink /proc/1/exe";
        let before = ["SECRET=witness", STEP06, "-q", "--network", "none"];
        let command = ["--", "sh", "-c", script];
        run("env", &[&before[..], flags, &command].concat()).stdout
    };
    assert_eq!(look(&["--init"]), "", "init is a copy of the launcher");
    let own = look(&[]);
    assert!(own.contains("HOSTNAME=box"), "the control: it can read: {own}");
    assert!(!own.contains("SECRET"), "{own}");
    let as_it_is = [&["--init"], &IDENTITY[..]].concat();
    assert_eq!(look(&as_it_is), "", "the map makes no difference");
}

#[test]
fn it_can_rename_its_own_machine_only() {
    let _machine = Machine::new();
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    // The machine's UTS namespace as a file, which can be a volume.
    let (folder, _mounts) = (Folder::new(), Covers::new());
    let file = folder.text("machine");
    fs::write(&file, "").expect("make a file");
    let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
    mount(Some("/proc/self/ns/uts"), file.as_str(), none, bind, none)
        .expect("bind the machine's UTS namespace");
    let volume = format!("{file}:/machine");
    let script = "hostname renamed && hostname && \
        nsenter --uts=/machine hostname renamed 2>&1";
    let flags = ["--volume", &volume, "--", "sh", "-c", script];
    let report = run("env", &as_root(&flags));
    let (own, other) = report.stdout.split_once('\n').expect("two lines");
    assert_eq!(own, "renamed");
    assert!(other.contains("Operation not permitted"), "{other}");
    let now = fs::read_to_string("/proc/sys/kernel/hostname");
    assert_eq!(name.expect("a name"), now.expect("a name"));
    // The control: root here may enter.
    program("nsenter", &["--uts=/proc/self/ns/uts", "true"]);
}

#[test]
fn it_cannot_make_a_name_for_a_disk() {
    let _machine = Machine::new();
    assert!(!succeeds(&[], "mknod /tmp/disk b 7 0 2>/dev/null"));
    assert!(succeeds(&[], "mknod /tmp/pipe p"), "the control: a pipe");
    let folder = Folder::new();
    let disk = folder.text("disk");
    program("mknod", &[&disk, "b", "7", "0"]);
}

#[test]
fn it_cannot_mount_what_is_on_a_disk() {
    let _machine = Machine::new();
    // No matter that there is none: the kernel looks at the type first.
    let mount = |kind| format!("mount -t {kind} none /mnt 2>&1");
    let command = mount("ext4");
    let report = run("env", &as_root(&["--", "sh", "-c", &command]));
    let denied = ["permission denied", "Operation not permitted"];
    let is_denied = denied.iter().any(|words| report.stdout.contains(words));
    assert!(is_denied, "{}", report.stdout);
    assert!(succeeds(&[], &mount("tmpfs")), "the control: a tmpfs");
}

#[test]
fn it_is_root_of_its_own_network_only() {
    let _machine = Machine::new();
    // The value that is there already: nothing is changed on either side.
    let script = "mtu=$(cat /sys/class/net/lo/mtu) && \
        ip link set lo mtu $mtu 2>/dev/null";
    assert!(succeeds(&[], script), "the control: a network of its own");
    let flags = ["--network", "host"];
    assert!(!succeeds_with_network(&flags, script));
    assert!(!succeeds_with_network(&[&flags[..], &IDENTITY].concat(), script));
}

#[test]
fn a_cable_can_be_plugged_in_from_outside() {
    let _machine = Machine::new();
    let script = "set -- $(ip route); ping -q -c 1 -W 20 $3 >/dev/null";
    assert!(succeeds_with_network(&["--network", "private"], script));
    // The control: there is no such way without the cable.
    assert!(!succeeds(&[], script));
}

#[test]
fn it_cannot_kill_a_process_of_root() {
    let _machine = Machine::new();
    // The control: one that is the same number outside.
    for (flags, is_killed) in [(&[][..], false), (&IDENTITY[..], true)] {
        let script = "read victim; kill $victim 2>&1 && echo killed";
        let mut process = start("env", &as_root(flags), script);
        let mut victim = Victim::new(&process);
        process.say(&victim.number_inside());
        let answer = process.hear();
        assert_eq!(answer == "killed", is_killed, "{answer}");
        if is_killed {
            victim.nsenter.wait().expect("wait for the killed process");
        } else {
            assert!(answer.contains("Operation not permitted"), "{answer}");
            assert!(!process::is_gone(victim.pid));
        }
        process.end();
        // With PID 1 goes whatever is in the namespace.
        let _ = victim.nsenter.wait();
    }
}

/// A process of the machine's root that the container can see.
struct Victim {
    nsenter: Child,
    pid: i32,
}

impl Victim {
    fn new(process: &Running) -> Victim {
        let target = process.pid.to_string();
        let arguments = ["--target", &target, "--pid", "sleep", "1000"];
        let nsenter = witness::command("nsenter").args(arguments).spawn();
        let nsenter = nsenter.expect("start nsenter");
        let mut pid = None;
        eventually("a process in the container's PID namespace", || {
            let children = process::children(nsenter.id() as i32);
            let mut names = children.into_iter();
            pid = names.find(|pid| process::name(*pid) == "sleep");
            pid.is_some()
        });
        Victim { nsenter, pid: pid.expect("a process") }
    }

    fn number_inside(&self) -> String {
        let numbers = process::status(self.pid, "NSpid").expect("numbers");
        numbers.split_whitespace().last().expect("a number").into()
    }
}

#[test]
fn a_map_that_is_the_machines_root_is_told() {
    let _machine = Machine::new();
    let ledger = |flags: &[&str]| {
        let alone = ["-u", "SUDO_UID", "-u", "SUDO_GID", STEP06];
        let none = ["--network", "none"];
        let all = [&alone[..], &none, flags, &["true"]].concat();
        run("env", &all).stderr
    };
    let sees = "SEES   users     root inside is root, uid 0 outside";
    let told = ledger(&IDENTITY);
    assert!(told.contains(sees), "{told}");
    let told = ledger(&[]);
    let blind = "blind  users     root inside is";
    assert!(!told.contains(sees) && told.contains(blind), "control: {told}");
}
