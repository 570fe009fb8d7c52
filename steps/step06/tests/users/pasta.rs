//! A way out without the machine's root.

use std::io::Write;

use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use witness::{Running, eventually, process, run, start};

use crate::lab::{Lab, MACHINE, SERVER, accept, interfaces, port, server};
use crate::person::Person;
use crate::program;

/// /dev/net/tun for everybody, as udev makes it on most machines. Only a
/// [`Lab`] has mounts of its own.
fn tun_for_all(_: &Lab) {
    program("mount", &["-t", "tmpfs", "tmpfs", "/dev/net"]);
    let all = Mode::from_bits_truncate(0o666);
    mknod("/dev/net/tun", SFlag::S_IFCHR, all, makedev(10, 200))
        .expect("make a node");
    program("chmod", &["666", "/dev/net/tun"]);
}

/// Prints the line that a server says. (It does not end its own side first:
/// some versions of pasta then never tell it that the other one has ended.)
fn client_of(port: u16) -> String {
    let hear = "read line; echo $line >/tmp/line";
    format!("nc {SERVER} {port} -e sh -c '{hear}'; cat /tmp/line")
}

/// The pasta of this launcher, if it has one.
fn pasta(process: &Running) -> Option<i32> {
    let children = process::children(process.launcher());
    let is_pasta = |pid: &i32| process::name(*pid).starts_with("pas");
    children.into_iter().find(is_pasta)
}

/// Is there one that works? That of Debian 12 for i686 is ended by its own
/// filter, which does not know clock_gettime64.
fn has_pasta() -> bool {
    witness::need("pasta");
    if cfg!(target_arch = "x86") {
        eprintln!("i686: its pasta may be ended by its own filter");
    }
    !cfg!(target_arch = "x86")
}

#[test]
fn a_person_reaches_the_world_by_pasta() {
    if !has_pasta() {
        return;
    }
    let lab = Lab::new();
    tun_for_all(&lab);
    let person = Person::new();
    let server = lab.server_outside();
    let script = client_of(port(&server));
    let starts = person.starts_with_helpers(&["--rootless"]);
    let mut process = start("setpriv", &starts, &script);
    let mut client = accept(&server);
    client.write_all(b"welcome\n").expect("answer");
    let from = client.peer_addr().expect("an address").ip().to_string();
    assert_eq!(from, MACHINE, "in the machine's own name");
    drop(client);
    assert_eq!(process.hear(), "welcome");
    assert!(process.is_apart("net"));
    assert_eq!(interfaces(process.pid), ["lo", "eth0"]);
    let pasta = pasta(&process).expect("its pasta");
    assert_eq!(
        process::status(pasta, "Uid"),
        Some("1500\t1500\t1500\t1500".into())
    );
    let report = process.end();
    let said = format!("way out   by pasta, your process {pasta}\n");
    assert!(report.stderr.contains(&said), "{}", report.stderr);
    assert!(process::is_gone(pasta));
}

#[test]
fn nothing_inside_reaches_the_machines_loopback() {
    if !has_pasta() {
        return;
    }
    let lab = Lab::new();
    tun_for_all(&lab);
    let person = Person::new();
    let (own, world) = (server("127.0.0.1"), lab.server_outside());
    // The gateway is what pasta would take for the machine itself.
    let script = format!(
        "set -- $(ip route); nc -w 1 $3 {0} </dev/null; nc -w 1 127.0.0.1 {0} \
         </dev/null; {1}",
        port(&own),
        client_of(port(&world))
    );
    let starts = person.starts_with_helpers(&["-q", "--rootless"]);
    let mut process = start("setpriv", &starts, &script);
    // The control: by now it has tried the others.
    accept(&world).write_all(b"welcome\n").expect("answer");
    assert_eq!(process.hear(), "welcome");
    let error = own.accept().expect_err("somebody has come");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    process.end();
}

#[test]
fn it_goes_with_its_launcher_however_that_ends() {
    witness::need("pasta");
    let lab = Lab::new();
    tun_for_all(&lab);
    let person = Person::new();
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let starts = person.starts_with_helpers(&["-q", "--rootless"]);
        let process = start("setpriv", &starts, "");
        let pasta = pasta(&process).expect("its pasta");
        match signal {
            None => drop(process.end()),
            Some(Signal::SIGKILL) => drop(process.kill()),
            Some(signal) => {
                process.signal(signal);
                process.signal(signal);
                drop(process.end());
            }
        }
        eventually("pasta ends", || process::is_gone(pasta));
    }
}

#[test]
fn where_there_is_no_pasta_the_loopback_is_left_and_the_reason_told() {
    let lab = Lab::new();
    let person = Person::new();
    let look = ["--rootless", "--", "ip", "link"];
    let why = |report: &witness::Report| {
        let line =
            report.stderr.lines().find(|l| l.contains("way out   none"));
        assert_eq!(report.status, 0, "{}", report.stderr);
        assert!(!report.stdout.contains("eth0"), "{}", report.stdout);
        line.map(str::to_owned)
    };
    let report = run("setpriv", &person.starts(&look));
    let line = why(&report).expect("a reason");
    assert!(line.contains("package is called passt"), "{line}");
    // Who asks for none is told nothing.
    let none = ["--rootless", "--network", "none", "--", "ip", "link"];
    let report = run("setpriv", &person.starts(&none));
    assert_eq!(why(&report), None, "the control");
    // A device that is not for everybody.
    witness::need("pasta");
    tun_for_all(&lab);
    program("chmod", &["600", "/dev/net/tun"]);
    let report = run("setpriv", &person.starts_with_helpers(&look));
    let line = why(&report).expect("a reason");
    assert!(line.contains("/dev/net/tun: EACCES"), "{line}");
}

#[test]
fn without_a_way_out_of_the_machine_there_is_none_inside() {
    witness::need("pasta");
    let lab = Lab::with_routes(&[]);
    tun_for_all(&lab);
    let person = Person::new();
    let look = ["--rootless", "--", "true"];
    let report = run("setpriv", &person.starts_with_helpers(&look));
    assert_eq!(report.status, 0, "{}", report.stderr);
    let why = "none: the machine has no default route itself";
    assert!(report.stderr.contains(why), "{}", report.stderr);
}
