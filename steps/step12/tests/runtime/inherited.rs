//! Blindfolds that are not there: a container in the caller's namespaces, of
//! which that of mounts takes most care.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Stdio};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use serde_json::{Value, json};
use step00::proc::Mounts;
use witness::{eventually, need};

use crate::Bundle;
use crate::crash::{in_the_middle, signal};
use nix::sys::signal::Signal;

const WAITS: &str = "echo begun; while :; do sleep 0.1; done";

/// All but that of users.
const KINDS: [(&str, &str); 7] = [
    ("mount", "mnt"),
    ("pid", "pid"),
    ("uts", "uts"),
    ("ipc", "ipc"),
    ("network", "net"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

/// A mount table for this thread and what it starts: of all its mounts, new
/// ones are passed on to whoever has a copy of it. So it is with systemd.
struct Table(File);

impl Table {
    fn new() -> Table {
        let home = File::open("/proc/thread-self/ns/mnt").expect("find it");
        unshare(CloneFlags::CLONE_NEWNS).expect("a test needs root");
        for kind in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
            let none = None::<&str>;
            mount(none, "/", none, kind | MsFlags::MS_REC, none)
                .expect("set the propagation");
        }
        Table(home)
    }

    /// A line for each mount.
    fn lines(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/thread-self/mountinfo");
        let table = table.expect("read it");
        table.lines().map(str::to_owned).collect()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // It shares its root directory with no other thread by now.
        setns(&self.0, CloneFlags::CLONE_NEWNS).expect("go home");
    }
}

/// A process with namespaces of its own, gone when this is dropped.
struct Other(Child);

impl Other {
    fn new(flags: &[&str]) -> Other {
        need("unshare");
        let mut command = witness::command("unshare");
        command.args(flags).args(["--propagation", "unchanged"]);
        command.args(["sh", "-c", "echo there; exec sleep 1000"]);
        let mut child =
            command.stdout(Stdio::piped()).spawn().expect("start it");
        let mut said = child.stdout.take().expect("a pipe");
        std::io::Read::read_exact(&mut said, &mut [0]).expect("it is there");
        Other(child)
    }

    /// The process itself, or where that is the first of a PID namespace, its
    /// child.
    fn pid(&self) -> i32 {
        let pid = self.0.id() as i32;
        let children = witness::process::children(pid);
        children.first().copied().unwrap_or(pid)
    }

    /// What it has mounted below a folder.
    fn below(&self, folder: &Path) -> Vec<String> {
        let path = format!("/proc/{}/mountinfo", self.pid());
        points(&fs::read(path).expect("read it"), folder)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.pid()),
            Signal::SIGKILL,
        );
        let _ = self.0.kill();
        witness::wait(&mut self.0);
    }
}

fn points(table: &[u8], folder: &Path) -> Vec<String> {
    let mounts = Mounts::parse(table, None);
    let below = mounts.iter().filter(|it| it.point.starts_with(folder));
    below.map(|it| it.point.display().to_string()).collect()
}

fn own_points(folder: &Path) -> Vec<String> {
    let table = fs::read("/proc/thread-self/mountinfo").expect("read it");
    points(&table, folder)
}

/// The same, but with a root of its own, which the mounts are to be found in.
fn with_root(script: &str, changes: &[(&str, Value)]) -> Bundle {
    let it = Bundle::new(script, &[("hostname", json!(""))]);
    let shared = it.config()["root"]["path"].as_str().map(str::to_owned);
    let root = it.folder.join("rootfs");
    let mut copy = witness::command("cp");
    copy.arg("-a").arg(shared.expect("a path")).arg(&root);
    assert!(witness::output(&mut copy).status.success(), "copy it");
    it.change(&[("root/path", json!(root)), ("root/readonly", json!(false))]);
    it.change(&[("linux/namespaces", kinds(&|kind| kind != "mount"))]);
    it.change(changes);
    it
}

fn kinds(has: &dyn Fn(&str) -> bool) -> Value {
    let kinds = KINDS.iter().filter(|(kind, _)| has(kind));
    kinds.map(|(kind, _)| json!({ "type": kind })).collect()
}

fn join(pid: i32, kind: &str, file: &str) -> Value {
    json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") })
}

#[test]
fn without_a_mount_namespace_its_mounts_go_with_delete() {
    let table = Table::new();
    let it = with_root(WAITS, &[("root/readonly", json!(true))]);
    let root = it.folder.join("rootfs");
    // It has a copy of this table, and is told what is mounted here.
    let peer = Other::new(&["--mount"]);
    let before = table.lines();
    let peers = peer.below(Path::new("/"));
    it.start();
    let mounted = own_points(it.folder.path());
    assert!(mounted.len() > 5, "the control: {mounted:?}");
    let inside = |path: &Path| path.starts_with(&root);
    assert!(mounted.iter().all(|it| inside(Path::new(it))), "{mounted:?}");
    let bare = [root.display().to_string()];
    assert_eq!(peer.below(it.folder.path()), bare, "nothing of what is in it");
    let same = witness::namespace(it.pid(), "mnt");
    assert_eq!(same, witness::namespace("thread-self", "mnt"));
    // Other mounts are as they were, those of the machine's /proc as well.
    let now = table.lines();
    assert!(before.iter().all(|line| now.contains(line)), "{now:#?}");
    it.good(&["kill", &it.id, "KILL"]);
    it.becomes("stopped");
    assert!(!own_points(&root).is_empty(), "the control: they stay till then");
    it.good(&["delete", &it.id]);
    assert_eq!(table.lines(), before);
    assert_eq!(peer.below(Path::new("/")), peers);
    it.is_gone();
}

#[test]
fn it_has_the_same_files_as_with_one() {
    let _table = Table::new();
    let script = "ls /; ls /proc/scsi /sys/firmware | wc -l; cat /given; \
        touch /x 2>&1; echo 1 2>&1 >/proc/sys/vm/swappiness; \
        stat -c %t:%T /dev/null; pwd";
    let given = json!({
        "destination": "/given", "type": "bind", "source": "given",
        "options": ["rbind", "ro"],
    });
    let says = |namespaces: Value| {
        let it = with_root(script, &[("root/readonly", json!(true))]);
        fs::write(it.folder.join("given"), "a file\n").expect("write it");
        let mut mounts = it.config()["mounts"].clone();
        mounts.as_array_mut().expect("a list").push(given.clone());
        it.change(&[("mounts", mounts), ("linux/namespaces", namespaces)]);
        let report = it.run_it();
        assert_eq!(own_points(it.folder.path()), [""; 0]);
        it.is_gone();
        report.stdout + &report.stderr
    };
    let right = says(kinds(&|_| true));
    assert!(right.contains("a file"), "{right}");
    assert!(right.contains("Read-only file system"), "{right}");
    assert_eq!(says(kinds(&|kind| kind != "mount")), right);
}

#[test]
fn a_create_that_comes_to_nothing_leaves_no_mount() {
    let table = Table::new();
    let it = with_root("true", &[]);
    let before = table.lines();
    // The last of all that can go wrong, with everything mounted.
    it.change(&[("process/args", json!(["/no/such/program"]))]);
    assert_eq!(it.try_create(&[]).status, 1);
    assert_eq!(table.lines(), before);
    // And in the middle, where nobody can take anything back.
    it.change(&[("process/args", json!(["true"]))]);
    for how in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut create = in_the_middle(&it);
        let mounted = own_points(it.folder.path());
        assert!(!mounted.is_empty(), "the control");
        signal(&mut create, how);
        if how == Signal::SIGKILL {
            assert!(!own_points(it.folder.path()).is_empty(), "the control");
            it.good(&["delete", "--force", &it.id]);
        }
        assert_eq!(table.lines(), before, "{how}");
        it.is_gone();
        fs::remove_file(it.folder.join("there")).expect("once more");
    }
    // The next one of its name takes them away as well.
    let mut create = in_the_middle(&it);
    signal(&mut create, Signal::SIGKILL);
    it.change(&[("hooks", json!({}))]);
    assert_eq!(it.run_it().status, 0);
    assert_eq!(table.lines(), before);
}

#[test]
fn exec_finds_its_root() {
    let _table = Table::new();
    let it = with_root(WAITS, &[]);
    fs::write(it.folder.join("rootfs/mark"), "here\n").expect("write it");
    it.start();
    let says = it.good(&["exec", &it.id, "cat", "/mark"]);
    assert_eq!(says, "here\n");
    drop(it);
    // Who is in there with the power to do so has another root by now, and
    // that is not to be followed.
    let script = "exec chroot /new /busybox sleep 1000";
    let it = with_root(script, &[]);
    let powers = json!(["CAP_SYS_CHROOT"]);
    for set in ["bounding", "effective", "permitted"] {
        let path = format!("process/capabilities/{set}");
        it.change(&[(&path, powers.clone())]);
    }
    let new = it.folder.join("rootfs/new");
    fs::create_dir(&new).expect("make it");
    let busybox = it.folder.join("rootfs/bin/busybox");
    fs::copy(busybox, new.join("busybox")).expect("copy it");
    it.start();
    let root = format!("/proc/{}/root", it.pid());
    eventually("another root", || {
        let is_same = |a: fs::Metadata, b: fs::Metadata| a.ino() == b.ino();
        let look = |path: &Path| fs::metadata(path).expect("look");
        is_same(look(Path::new(&root)), look(&new))
    });
    let error = it.bad(&["exec", &it.id, "true"]);
    assert!(error.contains("has left its root"), "{error}");
}

#[test]
fn what_needs_one_is_an_error() {
    let table = Table::new();
    let it = with_root("true", &[]);
    let before = table.lines();
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 9 }]);
    let bind = |options: &str| {
        json!([{
            "destination": "/x", "type": "bind", "source": "/etc",
            "options": options.split(',').collect::<Vec<_>>(),
        }])
    };
    let long = format!("lowerdir={}", "/etc:".repeat(99) + "/usr");
    let overlay = json!([{
        "destination": "/x", "type": "overlay", "options": [long],
    }]);
    let none = || kinds(&|kind| kind != "mount");
    let mut with_user = none();
    let user = json!({ "type": "user" });
    with_user.as_array_mut().expect("a list").push(user);
    for (changes, why) in [
        (
            vec![("linux/rootfsPropagation", json!("rshared"))],
            "linux.rootfsPropagation \"rshared\" needs a new mount namespace",
        ),
        (
            vec![("linux/rootfsPropagation", json!("slave"))],
            "needs a new mount namespace",
        ),
        (
            vec![("mounts", bind("rbind,rshared"))],
            "shared and slave need a new mount namespace",
        ),
        (
            vec![("mounts", bind("rbind,slave"))],
            "shared and slave need a new mount namespace",
        ),
        (vec![("mounts", overlay)], "needs a new mount namespace"),
        (
            vec![
                ("linux/namespaces", with_user),
                ("linux/uidMappings", map.clone()),
                ("linux/gidMappings", map),
            ],
            "\"user\" needs \"mount\" beside it",
        ),
    ] {
        let good = it.config();
        it.change(&changes);
        let report = it.try_create(&[]);
        assert_eq!(report.status, 1, "{why}");
        assert!(report.stderr.contains(why), "{}", report.stderr);
        assert_eq!(table.lines(), before, "{why}");
        it.is_gone();
        it.change(&[("mounts", good["mounts"].clone())]);
        let linux = good["linux"].clone();
        it.change(&[("linux", linux)]);
    }
    it.change(&[("linux/rootfsPropagation", json!("rprivate"))]);
    assert_eq!(it.run_it().status, 0, "the control");
}

#[test]
fn one_root_is_for_one_container() {
    let table = Table::new();
    let it = with_root(WAITS, &[]);
    let before = table.lines();
    it.start();
    let path = it.folder.path().display().to_string();
    let second = format!("{}-second", it.id);
    let own = it.config()["linux"]["cgroupsPath"].clone();
    let group = json!(format!("/{}/second", it.id));
    it.change(&[("linux/cgroupsPath", group)]);
    let error = it.bad(&["run", "--bundle", &path, &second]);
    assert!(
        error.contains(&format!("container {:?} has it", it.id)),
        "{error}"
    );
    it.change(&[("linux/cgroupsPath", own)]);
    it.good(&["exec", &it.id, "ls", "/proc/self/exe"]);
    it.good(&["delete", "--force", &it.id]);
    assert_eq!(table.lines(), before);
    it.change(&[("process/args", json!(["true"]))]);
    it.good(&["run", "--bundle", &path, &second]);
}

#[test]
fn what_lies_over_them_is_somebody_elses() {
    let table = Table::new();
    let it = with_root("true", &[]);
    let before = table.lines();
    it.create(&[]);
    let (root, tmpfs) = (it.folder.join("rootfs"), Some("tmpfs"));
    mount(tmpfs, &root, tmpfs, MsFlags::empty(), None::<&str>)
        .expect("mount something over it");
    let error = it.bad(&["delete", "--force", &it.id]);
    assert!(error.contains("something else is mounted on"), "{error}");
    umount2(&root, MntFlags::empty()).expect("unmount it");
    it.good(&["delete", "--force", &it.id]);
    assert_eq!(table.lines(), before);
    it.is_gone();
}

#[test]
fn they_are_taken_away_from_where_they_are() {
    let table = Table::new();
    let it = with_root("true", &[]);
    let before = table.lines();
    // It keeps this namespace while the thread is in another one.
    let there = Other::new(&["--uts"]);
    it.create(&[]);
    assert!(!there.below(it.folder.path()).is_empty(), "the control");
    let inner = Table::new();
    it.good(&["delete", "--force", &it.id]);
    drop(inner);
    assert_eq!(table.lines(), before);
    it.is_gone();
}

/// pivot_root(2) would give them all another root.
#[test]
fn who_is_in_a_mount_namespace_that_is_joined_stays_where_it_was() {
    let _table = Table::new();
    let it = with_root(WAITS, &[]);
    let other = Other::new(&["--mount"]);
    let root = |pid: i32| {
        let root = fs::metadata(format!("/proc/{pid}/root")).expect("look");
        (root.dev(), root.ino())
    };
    let (was, all) = (root(other.pid()), other.below(Path::new("/")));
    let own = || fs::metadata("/proc/thread-self/root").expect("look").ino();
    let mine = own();
    for path in [
        format!("/proc/{}/ns/mnt", other.pid()),
        // The runtime's own, by a path.
        "/proc/self/ns/mnt".to_owned(),
    ] {
        let mut all_kinds = kinds(&|kind| kind != "mount");
        let joined = json!({ "type": "mount", "path": path });
        all_kinds.as_array_mut().expect("a list").push(joined);
        it.change(&[("linux/namespaces", all_kinds)]);
        it.start();
        assert_eq!(root(other.pid()), was, "{path}");
        assert_eq!(own(), mine, "{path}");
        let says = it.good(&["exec", &it.id, "ls", "/proc/1/root"]);
        assert!(says.contains("proc"), "{says}");
        it.good(&["delete", "--force", &it.id]);
        assert_eq!(other.below(Path::new("/")), all, "{path}");
        assert_eq!(own_points(it.folder.path()), [""; 0], "{path}");
        it.is_gone();
    }
}

/// Each line of what it prints: the kind, and which one.
const TELLS: &str = "for it in mnt pid uts ipc net cgroup time; do \
     echo $it $(readlink /proc/self/ns/$it); done";

#[test]
fn each_may_be_left_out_in_any_combination() {
    let _table = Table::new();
    let it = with_root(TELLS, &[]);
    // The last three go together here: they have nothing to do with the
    // others, and a test has its time.
    let bits = ["mount", "pid", "network", "cgroup", "uts"];
    for set in 0..1 << bits.len() {
        let has = |kind: &str| {
            let kind = match kind {
                "ipc" | "time" => "uts",
                kind => kind,
            };
            let at = bits.iter().position(|its| *its == kind);
            at.is_some_and(|at| set & (1 << at) != 0)
        };
        it.change(&[("linux/namespaces", kinds(&has))]);
        let report = it.run_it();
        assert_eq!(report.status, 0, "{set:b}: {}", report.stderr);
        for (kind, file) in KINDS {
            let own = witness::namespace("thread-self", file);
            let line = format!("{file} {own}");
            let is_own = report.stdout.lines().any(|it| it == line);
            assert_eq!(is_own, !has(kind), "{kind}, {set:b}");
        }
        assert_eq!(own_points(it.folder.path()), [""; 0], "{set:b}");
    }
}

#[test]
fn and_each_may_be_joined() {
    let _table = Table::new();
    let it = with_root(WAITS, &[]);
    let other = Other::new(&[
        "--mount", "--uts", "--ipc", "--net", "--cgroup", "--time", "--pid",
        "--fork",
    ]);
    let pid = other.pid();
    let everything: Value =
        KINDS.iter().map(|(kind, file)| join(pid, kind, file)).collect();
    let mut all = vec![everything];
    for (kind, file) in KINDS {
        // One of another's, with all others made, and with none.
        let mut others = kinds(&|it| it != kind);
        others.as_array_mut().expect("a list").push(join(pid, kind, file));
        all.extend([others, json!([join(pid, kind, file)])]);
    }
    for namespaces in all {
        it.change(&[("linux/namespaces", namespaces.clone())]);
        it.start();
        for one in namespaces.as_array().expect("a list") {
            let (kind, file) = KINDS
                .iter()
                .find(|(kind, _)| one["type"] == *kind)
                .expect("a kind");
            let same = witness::namespace(it.pid(), file)
                == witness::namespace(pid, file);
            assert_eq!(same, one["path"].is_string(), "{kind}: {namespaces}");
        }
        let says = it.good(&["exec", &it.id, "sh", "-c", "echo in $$"]);
        assert!(says.starts_with("in "), "{says}");
        it.good(&["delete", "--force", &it.id]);
        assert_eq!(own_points(it.folder.path()), [""; 0]);
        it.is_gone();
    }
}

/// A user namespace as well, which owns the mount namespace: root in there may
/// mount in it.
#[test]
fn with_the_user_namespace_that_owns_it() {
    let _table = Table::new();
    let it = with_root("id -u; readlink /proc/self/ns/user", &[]);
    let other = Other::new(&["--user", "--map-root-user", "--mount"]);
    let pid = other.pid();
    let both = [join(pid, "user", "user"), join(pid, "mount", "mnt")];
    let others = kinds(&|kind| !["mount", "time"].contains(&kind));
    let others = others.as_array().expect("a list").iter().cloned();
    let all: Value = both.into_iter().chain(others).collect();
    it.change(&[("linux/namespaces", all)]);
    let report = it.run_it();
    assert_eq!(report.status, 0, "{}", report.stderr);
    let user = witness::namespace(pid, "user");
    assert_eq!(report.stdout, format!("0\n{user}\n"));
    assert_eq!(other.below(it.folder.path()), [""; 0]);
}
