//! step03 from outside: its own /proc, /sys and /dev.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::pty::openpty;
use nix::unistd::ttyname;
use witness::terminal::Terminal;
use witness::{Folder, Machine, Report, mount_at, run, start};

const STEP03: &str = env!("CARGO_BIN_EXE_step03");
const NODES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

fn inside(script: &str) -> Report {
    run(STEP03, &["-q", "--", "sh", "-c", script])
}

fn outside(script: &str) -> Report {
    run("sh", &["-c", script])
}

#[test]
fn proc_shows_its_own_processes_and_no_other() {
    let _machine = Machine::new();
    let list = "cd /proc && echo [0-9]*";
    assert_eq!(inside(list).stdout, "1\n");
    let all = outside(list).stdout;
    let own = std::process::id().to_string();
    assert!(all.split_whitespace().any(|pid| pid == own), "the control");
    // What it shows can be looked at, and is the container's.
    let first = run(STEP03, &["-q", "--", "cat", "/proc/1/comm"]);
    assert_eq!(first.stdout, "cat\n");
}

#[test]
fn dev_has_the_harmless_devices_and_nothing_else() {
    let _machine = Machine::new();
    let names = "fd full null ptmx pts random shm stderr stdin stdout tty \
                 urandom zero\n";
    assert_eq!(inside("cd /dev && echo *").stdout, names);
    assert_ne!(outside("cd /dev && echo *").stdout, names, "the control");

    let process = start(STEP03, &["-q"], "");
    for name in NODES {
        let theirs = format!("/proc/{}/root/dev/{name}", process.pid);
        let theirs = fs::metadata(theirs).expect("look at its node");
        let machines = fs::metadata(format!("/dev/{name}")).expect("ours");
        assert_eq!(theirs.rdev(), machines.rdev(), "{name}");
    }
    process.end();
}

#[test]
fn its_devices_work() {
    let _machine = Machine::new();
    for (script, answer) in [
        ("echo gone >/dev/null && wc -c </dev/null", "0\n"),
        ("head -c 9 /dev/zero | tr '\\0' z", "zzzzzzzzz"),
        ("head -c 32 /dev/urandom | wc -c", "32\n"),
        ("head -c 1 /dev/random | wc -c", "1\n"),
        ("echo by name >/dev/stdout", "by name\n"),
        ("echo x | cat /dev/stdin /dev/fd/0", "x\n"),
        ("echo shared >/dev/shm/it && cat /dev/shm/it", "shared\n"),
    ] {
        let report = inside(script);
        assert_eq!((report.status, &*report.stdout), (0, answer), "{script}");
    }
    let full = inside("cat /etc/passwd >/dev/full");
    assert_ne!(full.status, 0, "the control: this one refuses");
    assert!(full.stderr.contains("No space left"), "{}", full.stderr);
}

#[test]
fn the_machines_nodes_keep_their_modes_and_owners() {
    let _machine = Machine::new();
    // The modes that they have already: should it work, nothing is broken.
    for change in ["chmod 666 /dev/null", "chown 0:0 /dev/null"] {
        let report = inside(change);
        assert_ne!(report.status, 0, "{change}");
        let said = &report.stderr;
        assert!(said.contains("Read-only file system"), "{said}");
    }
    let own = inside("touch /dev/shm/it && chmod 666 /dev/shm/it");
    assert_eq!(own.status, 0, "the control: {}", own.stderr);
}

#[test]
fn sys_is_read_only() {
    let _machine = Machine::new();
    let process = start(STEP03, &["-q"], "");
    let sys = mount_at(process.pid, "/sys").expect("a /sys");
    assert_eq!(sys.kind, "sysfs");
    assert!(sys.flags.contains(&"ro".into()), "{sys:?}");
    let machines = mount_at("self", "/sys").expect("a /sys");
    assert!(!machines.flags.contains(&"ro".into()), "the machine's, too?");
    process.end();
    // Only opened for writing, nothing is written.
    let open = ": >>/sys/class/net/lo/mtu";
    let said = inside(open).stderr;
    assert!(said.contains("Read-only file system"), "{said}");
    assert_eq!(outside(open).status, 0, "the control");
}

#[test]
fn nothing_in_them_is_a_program_a_device_or_set_user_id() {
    let _machine = Machine::new();
    let process = start(STEP03, &["-q"], "");
    for (point, kind, flags) in [
        ("/proc", "proc", "nosuid nodev noexec rw"),
        ("/sys", "sysfs", "nosuid nodev noexec ro"),
        // Its devices are devices.
        ("/dev", "tmpfs", "nosuid noexec rw"),
        ("/dev/pts", "devpts", "nosuid noexec rw"),
        ("/dev/shm", "tmpfs", "nosuid nodev noexec rw"),
    ] {
        let mount = mount_at(process.pid, point).expect(point);
        assert_eq!(mount.kind, kind, "{point}");
        for flag in ["nosuid", "nodev", "noexec", "ro", "rw"] {
            let is_wanted = flags.split(' ').any(|wanted| wanted == flag);
            let is_set = mount.flags.iter().any(|it| it == flag);
            assert_eq!(is_set, is_wanted, "{flag} on {point}: {mount:?}");
        }
    }
    for (point, options) in [
        ("/dev", "size=64k mode=755"),
        ("/dev/pts", "gid=5 mode=620 ptmxmode=666"),
        ("/dev/shm", "size=65536k"),
    ] {
        let mount = mount_at(process.pid, point).expect(point);
        for option in options.split(' ') {
            let is_set = mount.options.iter().any(|it| it == option);
            assert!(is_set, "{option} on {point}: {mount:?}");
        }
    }
    process.end();
}

#[test]
fn the_machines_terminals_are_not_in_its_devpts() {
    let _machine = Machine::new();
    let pty = openpty(None, None).expect("open a terminal");
    let name = ttyname(&pty.slave).expect("its name");
    assert!(name.starts_with("/dev/pts"), "the control: {name:?} is there");
    assert_eq!(inside("cd /dev/pts && echo *").stdout, "ptmx\n");
    let process = start(STEP03, &["-q"], "");
    let its = mount_at(process.pid, "/dev/pts").expect("a devpts");
    let machines = mount_at("self", "/dev/pts").expect("a devpts");
    assert_eq!((&*its.kind, &*machines.kind), ("devpts", "devpts"));
    assert_ne!(its.device, machines.device, "it is the same one");
    process.end();
}

#[test]
fn on_a_terminal_it_gets_the_first_one_of_its_own() {
    let _machine = Machine::new();
    let script = "tty; echo /dev/pts/*; echo spoken >/dev/tty";
    let mut terminal =
        Terminal::start(STEP03, &["-q", "--", "sh", "-c", script]);
    terminal.expect("/dev/pts/0\r\n");
    terminal.expect("/dev/pts/0 /dev/pts/ptmx\r\n");
    terminal.expect("spoken");
    assert_eq!(terminal.wait(), 0);
    // The control: where the launcher has no terminal there is none to speak
    // to. (The one on which this test was started does not count: setsid(1)
    // lets go of it.)
    let speak = ["-q", "--", "sh", "-c", "echo spoken >/dev/tty"];
    let report = run("setsid", &[&["--wait", STEP03][..], &speak].concat());
    assert_ne!(report.status, 0, "{}", report.stdout);
    assert!(report.stderr.contains("No such device"), "{}", report.stderr);
}

#[test]
fn a_device_that_is_another_file_is_not_taken() {
    let _machine = Machine::new();
    let folder = Folder::new();
    std::fs::write(folder.join("file"), "no device\n").expect("write it");
    for (what, status) in [("file", 125), ("", 0)] {
        let script = format!(
            "[ -z '{what}' ] || mount --bind {} /dev/zero; \
             exec \"$0\" -q true",
            folder.text("file")
        );
        let report = run("unshare", &["-m", "sh", "-c", &script, STEP03]);
        assert_eq!(report.status, status, "{what}: {}", report.stderr);
        let error = "trust /dev/zero: it is not the device 1:5";
        assert_eq!(report.stderr.contains(error), status != 0);
    }
}
