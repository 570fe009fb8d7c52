//! Named volumes: what stays when a container has ended.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use witness::{Folder, Machine, Report, eventually, run, run_in};

use crate::person::{Person, UID};
use crate::{Container, MAP, STEP11, new_name};

/// A volume with a name that nobody else has, removed when this is dropped.
struct Volume(String);

impl Volume {
    fn new() -> Volume {
        Volume(new_name())
    }

    /// Where root's are; they outlive a reboot.
    fn path(&self) -> PathBuf {
        Path::new("/var/lib/workshop/volumes").join(&self.0)
    }

    fn at(&self, place: &str) -> String {
        format!("{}:{place}", self.0)
    }

    /// Its line of the list.
    fn line(&self) -> Option<String> {
        let list = run(STEP11, &["volume", "ls"]).stdout;
        let mut lines = list.lines().map(str::to_owned);
        lines.find(|line| line.split(' ').next() == Some(&self.0))
    }

    /// Are there any others?
    fn others(&self) -> bool {
        let list = run(STEP11, &["volume", "ls", "-q"]).stdout;
        list.lines().any(|name| name != self.0)
    }

    fn remove(&self) -> Report {
        run(STEP11, &["volume", "rm", &self.0])
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let path = self.path();
        if path.exists() {
            let removed = fs::remove_dir_all(&path);
            assert!(removed.is_ok() || std::thread::panicking());
        }
        // What a volume is in goes with the last one.
        for folder in path.ancestors().skip(1).take(2) {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Runs a command in the foreground, with the users of [`MAP`].
fn with(volumes: &[&str], script: &str) -> Report {
    let usual = ["run", "-q", "--rm", "--network", "none"];
    let volumes: Vec<&str> =
        volumes.iter().flat_map(|volume| ["--volume", volume]).collect();
    let command = ["--", "sh", "-c", script];
    run(STEP11, &[&usual[..], &MAP, &volumes, &command].concat())
}

#[test]
fn what_one_has_written_another_one_reads() {
    let _machine = Machine::new();
    let (volume, other) = (Volume::new(), Volume::new());
    let write = "echo kept >/x/f; id -u; stat -c %u:%g:%a /x";
    let report = with(&[&volume.at("/x")], write);
    assert_eq!(report.stdout, "0\n0:0:755\n", "{}", report.stderr);
    let read = with(&[&volume.at("/elsewhere:ro")], "cat /elsewhere/f");
    assert_eq!(read.stdout, "kept\n", "{}", read.stderr);
    let write = with(&[&volume.at("/x:ro")], "echo more >/x/f");
    assert_ne!(write.status, 0, "it is read-only");
    let none = with(&[&other.at("/x")], "ls /x");
    assert_eq!((none.status, &*none.stdout), (0, ""), "the control");
    let found = fs::metadata(volume.path()).expect("look at it");
    assert_eq!((found.uid(), found.gid()), (100_000, 100_000));
}

#[test]
fn nobody_else_gets_near_to_what_root_inside_has_made() {
    let _machine = Machine::new();
    let volume = Volume::new();
    let script = "cp /bin/busybox /x/busybox; chmod 4755 /x/busybox";
    assert_eq!(with(&[&volume.at("/x")], script).status, 0);
    for folder in volume.path().ancestors().skip(1).take(2) {
        let found = fs::metadata(folder).expect("look at it");
        assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o700));
    }
    let program = volume.path().join("busybox");
    let program = program.to_str().expect("a plain path");
    // A shell first: setpriv itself still has root's powers when it looks.
    let person = ["--reuid", "1500", "--regid", "1500", "--clear-groups"];
    let shell = ["sh", "-c", "exec \"$0\" id", program];
    let all = [&person[..], &shell].concat();
    assert_ne!(run("setpriv", &all).status, 0);
    // The control: it is there, and may be executed by who gets there.
    assert_eq!(run(shell[0], &shell[1..]).status, 0);
}

#[test]
fn a_path_is_a_path_and_a_name_is_a_name() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let volume = Volume::new();
    fs::create_dir_all(folder.join(&volume.0)).expect("make a folder");
    fs::write(folder.join(&volume.0).join("f"), "here").expect("write it");
    let call = |source: &str| {
        let volume = format!("{source}:/x");
        let usual = ["run", "-q", "--rm", "--network", "none", "-v", &volume];
        let call = [&usual[..], &["sh", "-c", "cat /x/f"]].concat();
        run_in(STEP11, &call, folder.path(), &[])
    };
    let path = call(&format!("./{}", volume.0));
    assert_eq!(path.stdout, "here", "{}", path.stderr);
    assert!(!volume.path().exists());
    let name = call(&volume.0);
    assert_ne!(name.status, 0, "an empty volume");
    assert!(name.stderr.contains(&format!("./{}", volume.0)), "and says so");
    assert!(volume.path().exists());
    let help = run(STEP11, &["run", "--help"]).stdout;
    assert!(help.contains("a volume by its name"), "{help}");
    let missing = call("./not-there");
    assert!(missing.stderr.contains("open a volume"), "{}", missing.stderr);
}

#[test]
fn they_are_listed_with_who_has_them_and_removed_when_nobody_does() {
    let _machine = Machine::new();
    let volume = Volume::new();
    assert_eq!(volume.line(), None, "the control");
    let report = volume.remove();
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("volume ls"), "{}", report.stderr);
    let flag = volume.at("/x");
    let container = Container::start(&["-v", &flag], "exec sleep 1000");
    let line = volume.line().expect("a line");
    assert!(line.contains(&container.name), "{line}");
    assert!(line.ends_with(volume.path().to_str().expect("it")), "{line}");
    for state in ["running", "exited"] {
        assert_eq!(container.inspect()["status"], state);
        let report = volume.remove();
        assert_eq!(report.status, 125, "{state}");
        let said = format!("rm --force {}", container.name);
        assert!(report.stderr.contains(&said), "{}", report.stderr);
        container.call(&["stop", "--time", "0"]);
    }
    assert_eq!(container.call(&["rm"]).status, 0);
    assert!(volume.path().exists(), "it stays");
    let quiet = run(STEP11, &["volume", "ls", "-q"]).stdout;
    assert!(quiet.lines().any(|name| name == volume.0), "{quiet}");
    let report = volume.remove();
    assert_eq!(report.stdout, format!("{}\n", volume.0), "{}", report.stderr);
    assert_eq!(volume.line(), None);
    assert!(!volume.path().exists());
    // One can be made before it is needed, and needs a name.
    let create = ["volume", "create", &volume.0];
    assert_eq!(run(STEP11, &create).status, 0);
    assert!(volume.line().expect("a line").contains(" - "));
    for wrong in ["..", "a/b", ".x", ""] {
        for word in ["create", "rm"] {
            let report = run(STEP11, &["volume", word, wrong]);
            assert_eq!(report.status, 2, "{wrong:?}: {}", report.stderr);
        }
    }
}

#[test]
fn the_removal_follows_no_link_and_knows_no_depth() {
    let _machine = Machine::new();
    let volume = Volume::new();
    let folder = Folder::new();
    fs::write(folder.join("kept"), "kept").expect("write it");
    let outside = folder.path().display();
    let script = format!(
        "ln -s {outside} /x/link; mkfifo /x/pipe; mkdir -p /x/0 /x/a/1; \
         echo >/x/.removed; cd /x; i=0; while [ $i -lt 1500 ]; do mkdir d; \
         cd -P d || exit 1; i=$((i+1)); done"
    );
    let report = with(&[&volume.at("/x")], &script);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let report = volume.remove();
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(!volume.path().exists());
    // (Unless somebody else has one.)
    let volumes = volume.path().with_file_name("");
    let left = fs::read_dir(&volumes).into_iter().flatten().flatten();
    let mut left = left.map(|entry| entry.file_name());
    assert!(left.all(|name| name != ".removed"));
    assert_eq!(volumes.exists(), volume.others());
    assert!(folder.join("kept").exists(), "it is not the volume's");
}

#[test]
fn a_volume_of_other_users_is_refused() {
    let _machine = Machine::new();
    let volume = Volume::new();
    let flag = volume.at("/x");
    let with_map = |map: &str| {
        let usual = ["run", "-q", "--rm", "--network", "none", "-v", &flag];
        let maps = ["--uid-map", map, "--gid-map", map, "true"];
        run(STEP11, &[&usual[..], &maps].concat())
    };
    assert_eq!(with_map("0:100000:65536").status, 0);
    let report = with_map("0:300000:65536");
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("uid 100000"), "{}", report.stderr);
    assert!(report.stderr.contains("--uid-map"), "{}", report.stderr);
    // A server has its folder be its own, and that is no other map.
    assert_eq!(with(&[&flag], "chown 7:8 /x").status, 0);
    assert_eq!(with_map("0:100000:65536").status, 0, "the control");
    // Neither the user nor the group may be somebody else's.
    for (uid, gid) in [(100_007, 7), (7, 100_008)] {
        chown(volume.path(), Some(uid), Some(gid)).expect("give it away");
        let report = with_map("0:100000:65536");
        let owner = format!("uid {uid} and gid {gid}");
        assert_eq!(report.status, 125, "{owner}");
        assert!(report.stderr.contains(&owner), "{}", report.stderr);
    }
}

#[test]
fn a_person_without_root_has_volumes_as_well() {
    let _machine = Machine::new();
    let person = Person::new();
    let data = format!("XDG_DATA_HOME={}", person.home.text("data"));
    let runtime = format!("XDG_RUNTIME_DIR={}", person.home.text("run"));
    let env = ["PATH=/nowhere", &*data, &runtime];
    let call = |words: &[&str]| {
        crate::person::setpriv(&person.starts_with(&env, words))
    };
    let with = |script: &str| {
        let usual = ["run", "-q", "--rm", "--rootless", "-v", "data:/x", "--"];
        call(&[&usual[..], &["sh", "-c", script]].concat())
    };
    let report = with("echo kept >/x/f; mkdir -m 0 /x/closed");
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(with("cat /x/f").stdout, "kept\n");
    let folder = person.home.join("data/workshop/volumes/data");
    let found = fs::metadata(&folder).expect("look at it");
    assert_eq!(found.uid(), crate::person::UID);
    let mode = fs::metadata(folder.with_file_name("")).expect("look at it");
    assert_eq!(mode.permissions().mode() & 0o777, 0o700);
    let list = call(&["volume", "ls", "--rootless", "-q"]);
    assert_eq!(list.stdout, "data\n", "{}", list.stderr);
    // Who is not root needs no flag to be without root.
    let report = call(&["volume", "rm", "data"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(!folder.exists());
    // Root's are in another list.
    let list = run(STEP11, &["volume", "ls", "-q"]).stdout;
    assert!(!list.lines().any(|name| name == "data"), "{list}");
}

/// A person whose volumes are all in one folder, which is there and empty.
struct Keeper {
    person: Person,
    data: PathBuf,
}

impl Keeper {
    fn new() -> Keeper {
        let person = Person::new();
        let data = person.home.join("data");
        fs::create_dir(&data).expect("make a folder");
        chown(&data, Some(UID), Some(UID)).expect("give it away");
        Keeper { person, data }
    }

    fn set_mode(&self, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(&self.data, mode).expect("set its mode");
    }

    fn call(&self, words: &[&str]) -> Report {
        let data = format!("XDG_DATA_HOME={}", self.data.display());
        let run = self.person.home.text("run");
        let runtime = format!("XDG_RUNTIME_DIR={run}");
        let env = ["PATH=/nowhere", &*data, &runtime];
        let words = [&["volume"], words, &["--rootless"]].concat();
        crate::person::setpriv(&self.person.starts_with(&env, &words))
    }

    /// The status, and the names or what was said.
    fn list(&self) -> (i32, String) {
        let report = self.call(&["ls", "-q"]);
        (report.status, report.stdout + &report.stderr)
    }
}

/// Their folder is made for the first of them, and not by who asks for them.
#[test]
fn to_look_for_volumes_makes_none() {
    let _machine = Machine::new();
    let keeper = Keeper::new();
    assert_eq!(keeper.list(), (0, String::new()));
    let mut all = fs::read_dir(&keeper.data).expect("list it");
    assert!(all.next().is_none());
    keeper.set_mode(0o500);
    let report = keeper.call(&["create", "data"]);
    assert_eq!(report.status, 125);
    let said = format!("make {}/workshop: EACCES", keeper.data.display());
    assert!(report.stderr.contains(&said), "{}", report.stderr);
    keeper.set_mode(0o700);
    let report = keeper.call(&["create", "data"]);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
    assert_eq!(keeper.list(), (0, "data\n".into()));
    fs::remove_dir_all(&keeper.data).expect("remove it");
    assert_eq!(keeper.list(), (0, String::new()));
}

#[test]
fn a_folder_that_others_can_change_is_not_looked_into() {
    let _machine = Machine::new();
    let keeper = Keeper::new();
    keeper.set_mode(0o777);
    let (status, said) = keeper.list();
    assert_eq!(status, 125);
    assert!(said.contains("anybody may exchange"), "{said}");
    keeper.set_mode(0o700);
    assert_eq!(keeper.list(), (0, String::new()), "the control");
    // Root has made this one.
    let workshop = keeper.data.join("workshop");
    fs::create_dir(&workshop).expect("make a folder");
    let (status, said) = keeper.list();
    assert_eq!(status, 125);
    assert!(said.contains("does not belong to you alone"), "{said}");
    chown(&workshop, Some(UID), Some(UID)).expect("give it away");
    assert_eq!(keeper.list(), (0, String::new()), "the control");
}

#[test]
fn it_is_there_for_a_container_that_is_started_again() {
    let _machine = Machine::new();
    let volume = Volume::new();
    let flag = volume.at("/x");
    let flags = ["--restart", "on-failure:2", "-v", &flag];
    let script = "echo x >>/x/runs; exit 1";
    let container = Container::start(&flags, script);
    eventually("its last end", || {
        container.inspect()["restarts"] == 2
            && container.inspect()["status"] == "exited"
    });
    let runs = fs::read_to_string(volume.path().join("runs"));
    assert_eq!(runs.expect("read it"), "x\n".repeat(3));
}
