//! Only one's own files are locked: strangers hold up nobody.

use std::fs::{self, File};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;

use nix::fcntl::{Flock, FlockArg};
use witness::{claims, eventually, namespace, run, start};

use crate::STEP05;
use crate::lab::{Lab, OwnRun, is_forwarding};

fn lock(path: impl Into<PathBuf>) -> Flock<File> {
    let path = path.into();
    let file = File::open(&path).expect("open it");
    let how = FlockArg::LockExclusiveNonblock;
    Flock::lock(file, how).map_err(|(_, errno)| errno).expect("lock it")
}

#[test]
fn a_lock_that_everybody_can_take_holds_up_nobody() {
    let _lab = Lab::new();
    let switches = ["all", "uplink"];
    let path = |name| format!("/proc/sys/net/ipv4/conf/{name}/forwarding");
    let _locks = switches.map(|name| lock(path(name)));
    let _forward = lock("/proc/sys/net/ipv4/ip_forward");
    let process = start(STEP05, &["-q"], "");
    assert!(is_forwarding("uplink"));
    process.end();
    assert!(!is_forwarding("uplink"));
    let again = File::open(path("all")).expect("open it");
    let how = FlockArg::LockExclusiveNonblock;
    assert!(Flock::lock(again, how).is_err(), "the control: they are held");
}

/// Abstract names are everybody's.
#[test]
fn addresses_cannot_be_used_up_by_a_stranger() {
    let _lab = Lab::new();
    // As many as one may have open; which are tried first is no secret.
    let sockets: Vec<UnixDatagram> = (0..400)
        .map(|number| {
            let address = u32::from_be_bytes([10, 77, 0, 0]) + number * 4;
            let name =
                format!("workshop/{}", std::net::Ipv4Addr::from(address));
            let name = SocketAddr::from_abstract_name(name).expect("a name");
            UnixDatagram::bind_addr(&name).expect("take it")
        })
        .collect();
    let process = start(STEP05, &["-q"], "");
    // The control: it has a claim, where nobody else can have one.
    assert_eq!(claims().len(), 1);
    let folder = fs::metadata("/run/workshop").expect("the folder");
    assert_eq!((folder.uid(), folder.mode() & 0o7777), (0, 0o700));
    process.end();
    drop(sockets);
}

#[test]
fn a_lock_that_is_not_had_in_time_is_an_error_with_its_holder() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q"], "");
    let digits = |name: String| {
        name.chars().filter(char::is_ascii_digit).collect::<String>()
    };
    let network = digits(namespace("thread-self", "net"));
    let path = format!("/run/workshop/.forward-{network}");
    fs::write(&path, "").expect("make a lock");
    let held = lock(&path);
    let report = run(STEP05, &["-q", "true"]);
    assert_eq!(report.status, 125, "{}", report.stderr);
    let holder = format!("process {} (", std::process::id());
    assert!(report.stderr.contains(&holder), "{}", report.stderr);
    assert!(report.stderr.contains(&path), "{}", report.stderr);
    drop(held);
    assert_eq!(run(STEP05, &["-q", "true"]).status, 0, "the control");
    process.end();
}

#[test]
fn a_folder_that_is_not_roots_alone_is_not_used() {
    let lab = Lab::new();
    let _run = OwnRun::new(&lab);
    let run_folder = PathBuf::from("/run/workshop");
    let elsewhere = witness::Folder::new();
    for kind in ["a link", "somebody else's", "open to all"] {
        match kind {
            "a link" => symlink(elsewhere.path(), &run_folder),
            _ => fs::create_dir(&run_folder),
        }
        .expect(kind);
        match kind {
            "somebody else's" => chown(&run_folder, Some(1500), None),
            "open to all" => {
                let mode = fs::Permissions::from_mode(0o777);
                fs::set_permissions(&run_folder, mode)
            }
            _ => Ok(()),
        }
        .expect(kind);
        let report = run(STEP05, &["-q", "true"]);
        assert_eq!(report.status, 125, "{kind}");
        let error = "/run/workshop does not belong to you alone";
        assert!(report.stderr.contains(error), "{kind}: {}", report.stderr);
        match kind {
            "a link" => fs::remove_file(&run_folder),
            _ => fs::remove_dir(&run_folder),
        }
        .expect("nothing is in it");
    }
    let mut entries = fs::read_dir(elsewhere.path()).expect("look");
    assert!(entries.next().is_none(), "nothing behind the link");
    assert_eq!(run(STEP05, &["-q", "true"]).status, 0, "the control");
    eventually("nothing left", || !run_folder.exists());
}
