//! A container without root, and without any help from it.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use witness::terminal::Terminal;
use witness::{Machine, Reachable, namespace, need, run, start};

use crate::maps::{every_capability, four_times, map};
use crate::person::{Person, set_ranges_aside};
use crate::{STEP06, copy_rootfs, program, text};

#[test]
fn a_person_alone_is_root_of_one() {
    let _machine = Machine::new();
    let person = Person::new();
    let script = "id -u; touch /new; stat -c %u:%g /new /bin/sh";
    let starts = person.starts(&["--rootless"]);
    let mut process = start("setpriv", &starts, script);
    for line in ["0", "0:0", "0:0"] {
        assert_eq!(process.hear(), line);
    }
    assert_eq!(map(&process, "uid"), ["0 1500 1"]);
    assert_eq!(map(&process, "gid"), ["0 1500 1"]);
    assert_eq!(process.read("setgroups"), "deny\n");
    assert_eq!(process.status("Uid"), four_times(1500));
    assert_eq!(process.status("Gid"), four_times(1500));
    for kind in ["user", "uts", "pid", "mnt", "net"] {
        assert!(process.is_apart(kind), "{kind}");
    }
    assert_eq!(process.read("net/dev").matches(':').count(), 1);

    let report = process.end();
    assert_eq!(report.status, 0);
    for line in [
        "users     root inside is uid 1500 outside, nobody else is\n",
        "network   lo, no way out (a cable takes the machine's root)\n",
    ] {
        assert!(report.stderr.contains(line), "{}", report.stderr);
    }
}

#[test]
fn all_powers_are_inside_and_none_outside() {
    let _machine = Machine::new();
    let person = Person::new();
    let process = start("setpriv", &person.starts(&["-q"]), "");
    assert_eq!(process.status("CapEff"), every_capability());
    let launcher = |field| {
        let found = witness::process::status(process.launcher(), field);
        found.expect(field)
    };
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(launcher(field), "0000000000000000", "{field}");
    }
    assert_eq!(launcher("Uid"), four_times(1500));
    process.end();
}

#[test]
fn nobody_else_is_mapped_without_help() {
    let _machine = Machine::new();
    let person = Person::new();
    let script = "touch /tmp/new; chown 1 /tmp/new 2>&1";
    let command = ["-q", "--", "sh", "-c", script];
    let report = run("setpriv", &person.starts(&command));
    assert!(report.stdout.contains("Invalid arg"), "{}", report.stdout);
    // The kernel does not let a person take another one's number.
    for (map, number) in [("--uid-map", "0:0:1"), ("--gid-map", "0:0:1")] {
        let flags = [map, number, "echo", "ran"];
        let report = run("setpriv", &person.starts(&flags));
        assert_eq!(report.status, 125, "{}", report.stdout);
        let denied = "Operation not permitted";
        assert!(report.stderr.contains(denied), "{}", report.stderr);
        assert!(report.stderr.contains("newuidmap"), "{}", report.stderr);
        assert_eq!(report.stdout, "", "the command was not to run");
    }
}

#[test]
fn newuidmap_maps_what_is_set_aside() {
    need("newuidmap");
    let _machine = Machine::new();
    let (person, _files) = (Person::new(), set_ranges_aside());
    let script = "touch /tmp/new; chown 1:2 /tmp/new && echo given";
    let starts = person.starts_with_helpers(&["--rootless", "-q"]);
    let mut process = start("setpriv", &starts, script);
    assert_eq!(process.hear(), "given");
    assert_eq!(map(&process, "uid"), ["0 1500 1", "1 200000 1000"]);
    assert_eq!(map(&process, "gid"), ["0 1500 1", "1 300000 500"]);
    assert_eq!(process.status("Uid"), four_times(1500));
    assert_eq!(process.status("Groups"), "");
    process.end();
    // The control: the helpers are there, but cannot be found.
    let process = start("setpriv", &person.starts(&["-q"]), "");
    assert_eq!(map(&process, "uid"), ["0 1500 1"]);
    process.end();
}

#[test]
fn newuidmap_has_the_last_word() {
    need("newuidmap");
    let _machine = Machine::new();
    let (person, _files) = (Person::new(), set_ranges_aside());
    let flags = ["--uid-map", "0:0:1", "echo", "ran"];
    let report = run("setpriv", &person.starts_with_helpers(&flags));
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("newuidmap"), "{}", report.stderr);
    assert_eq!(report.stdout, "", "the command was not to run");
}

#[test]
fn a_folder_of_the_persons_private_home_can_be_a_volume() {
    let _machine = Machine::new();
    let person = Person::new();
    let volume = format!("{}:/home", text(person.home.path()));
    let script = "touch /home/new; stat -c %u /home /home/new";
    let command = ["-q", "--volume", &volume, "--", "sh", "-c", script];
    let report = run("setpriv", &person.starts(&command));
    assert_eq!(report.stdout, "0\n0\n", "{}", report.stderr);
    let new = person.home.join("new").metadata().expect("a new file");
    assert_eq!((new.uid(), new.gid()), (1500, 1500));
    // The control: a folder that is closed to this person.
    let command = ["-q", "--volume", "/root:/home", "--", "ls", "/home"];
    program("chmod", &["711", text(person.home.path())]);
    let closed = witness::Folder::new();
    program("chmod", &["700", text(closed.path())]);
    let volume = format!("{}:/home", closed.text("below"));
    let command = [&command[..2], &[&volume], &command[3..]].concat();
    let report = run("setpriv", &person.starts(&command));
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("Permission denied"), "{}", report.stderr);
}

#[test]
fn the_image_is_made_on_first_need() {
    let _machine = Machine::new();
    let person = Person::without_image();
    let command = ["-q", "--", "stat", "-c", "%u:%g", "/bin/sh"];
    let report = run("setpriv", &person.starts(&command));
    assert_eq!(report.stdout, "0:0\n", "{}", report.stderr);
    let image = person.home.join("rootfs").metadata().expect("an image");
    assert_eq!(image.uid(), 1500);
}

#[test]
fn writes_can_be_kept() {
    let _machine = Machine::new();
    let person = Person::new();
    // overlayfs keeps its notes in the upper layer's extended attributes, and
    // not every tmpfs has those: /tmp may be one. Cargo's own folder may lie
    // in a home that is closed to this person.
    let upper = witness::Folder::below(std::path::Path::new("/var/tmp"));
    program("chown", &["1500:1500", text(upper.path())]);
    let flags = ["-q", "--upper", text(upper.path())];
    let script = "echo new >/new; rm -r /home; mkdir /home; ls -A /home";
    let command = ["--", "sh", "-c", script];
    let arguments = [&flags[..], &command].concat();
    let report = run("setpriv", &person.starts(&arguments));
    assert_eq!((report.status, report.stderr.as_str()), (0, ""));
    let new = upper.join("upper/new").metadata().expect("what was written");
    assert_eq!((new.uid(), new.gid()), (1500, 1500));
}

#[test]
fn a_port_cannot_be_published_and_the_reason_is_given() {
    let _machine = Machine::new();
    let person = Person::new();
    let flags = ["--publish", "8080:80", "echo", "ran"];
    let report = run("setpriv", &person.starts(&flags));
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("--publish needs a cable"));
    assert!(report.stderr.contains("root"), "{}", report.stderr);
    assert_eq!(report.stdout, "", "the command was not to run");
}

#[test]
fn the_machines_network_can_be_kept() {
    let _machine = Machine::new();
    let person = Person::new();
    let flags = ["-q", "--network", "host"];
    let mut process = start("setpriv", &person.starts(&flags), "ls /sys");
    assert_eq!(namespace(process.pid, "net"), namespace("self", "net"));
    assert_eq!(process.hear(), "block", "/sys is there");
    process.end();
}

#[test]
fn it_has_a_terminal_of_its_own() {
    let _machine = Machine::new();
    let person = Person::new();
    let starts = person.starts(&["-q"]);
    let mut terminal = Terminal::start("setpriv", &starts);
    terminal.expect("# ");
    terminal.press("tty; stat -c %u:%g $(tty); id -u\n");
    for line in ["/dev/pts/0\r\n", "0:0\r\n", "0\r\n"] {
        terminal.expect(line);
    }
    terminal.press("exit 7\n");
    assert_eq!(terminal.wait(), 7);
}

#[test]
fn killed_with_sigkill_it_leaves_nothing() {
    let _machine = Machine::new();
    let person = Person::new();
    start("setpriv", &person.starts(&["-q"]), "sleep 1000 &").kill();
    need("newuidmap");
    let _files = set_ranges_aside();
    let starts = person.starts_with_helpers(&["-q"]);
    start("setpriv", &starts, "sleep 1000 &").kill();
}

#[test]
fn root_can_do_without_roots_help_too() {
    let _machine = Machine::new();
    let flags = ["PATH=/nowhere", STEP06, "--rootless"];
    let process = start("env", &flags, "");
    assert_eq!(map(&process, "uid"), ["0 0 1"]);
    assert_eq!(process.read("net/dev").matches(':').count(), 1);
    let ledger = process.end().stderr;
    let truth = "uid 0 outside, nobody else is\n";
    assert!(ledger.contains(truth), "{ledger}");
}

#[test]
fn without_user_namespaces_the_switch_is_named() {
    let _machine = Machine::new();
    let step06 = Reachable::new(STEP06);
    copy_rootfs(&step06.beside("rootfs"));
    // In a user namespace of the test's own the switch can be set.
    let run_with = |limit: &str| {
        let script = format!(
            "echo {limit} >/proc/sys/user/max_user_namespaces && \
             PATH=/nowhere exec {} -q --rootless true",
            step06.path()
        );
        run("unshare", &["--user", "--map-root-user", "sh", "-c", &script])
    };
    let report = run_with("0");
    assert_eq!(report.status, 125, "{}", report.stderr);
    let file = "/proc/sys/user/max_user_namespaces";
    assert!(report.stderr.contains(file), "{}", report.stderr);
    assert!(report.stderr.contains("No space left"), "{}", report.stderr);
    // The control: there are enough.
    assert_eq!(run_with("100").stderr, "");
}

#[test]
fn an_image_of_somebody_elses_is_explained() {
    let _machine = Machine::new();
    let person = Person::new();
    let image = person.home.join("rootfs");
    let tmp = image.join("tmp");
    std::fs::set_permissions(&tmp, Permissions::from_mode(0o1777))
        .expect("a folder for everybody");
    let look = ["--", "touch", "/tmp/new"];
    let explained = "image     ";
    let report = run("setpriv", &person.starts(&look));
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
    assert!(!report.stderr.contains(explained), "{}", report.stderr);

    program("chown", &["-hR", "0:0", text(&image)]);
    let report = run("setpriv", &person.starts(&look));
    assert!(report.stderr.contains("Value too large for"), "touch says it");
    let whose = "rootfs is uid 0's, who is nobody in here";
    assert!(report.stderr.contains(whose), "{}", report.stderr);
    assert!(report.stderr.contains("EOVERFLOW"), "{}", report.stderr);
}
