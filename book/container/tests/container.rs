//! The forty lines, run as the page runs them.

use std::fs;
use std::os::unix::fs::MetadataExt;

use witness::{Folder, Machine, Running, namespace, process, run};

const CONTAINER: &str = env!("CARGO_BIN_EXE_container");

/// The workshop's root filesystem, in a copy of the test's own.
fn own_root(folder: &Folder) -> String {
    let shared = step03::rootfs::default_path().expect("a target folder");
    step03::rootfs::ensure(&shared).expect("make the root filesystem");
    let copy = folder.text("root");
    let mut cp = witness::command("cp");
    let status = cp.arg("-a").arg(&shared).arg(&copy).status();
    assert!(status.expect("start cp").success(), "copy {shared:?}");
    copy
}

/// Starts it with a script. A rung takes `--` before its command, this does
/// not: a shell drops that word, and is replaced by the program.
fn start(root: &str, script: &str) -> Running {
    let drop = r#"root=$1; shift 2; exec "$0" "$root" "$@""#;
    witness::start("sh", &["-c", drop, CONTAINER, root], script)
}

#[test]
fn it_is_another_machine_from_inside_and_a_process_from_outside() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let script = "hostname; echo $$; cat /etc/os-release | head -n 1; \
                  cut -d ' ' -f 5 /proc/self/mountinfo | tr '\\n' ' '; echo";
    let mut inside = start(&root, script);
    assert_eq!(inside.hear(), "forty");
    assert_eq!(inside.hear(), "1");
    let release = fs::read_to_string(format!("{root}/etc/os-release"));
    let release = release.expect("the folder has one");
    assert_eq!(Some(&*inside.hear()), release.lines().next());
    assert_eq!(inside.hear().trim(), "/ /proc");

    let ends_in_1 = inside.status("NSpid").ends_with("\t1");
    assert!(ends_in_1, "{:?}", inside.status("NSpid"));
    let number = |folder: &str| {
        let metadata = fs::metadata(folder).expect("look at the folder");
        (metadata.dev(), metadata.ino())
    };
    let its_root = format!("/proc/{}/root/", inside.pid);
    assert_eq!(number(&its_root), number(&root));
    assert_ne!(number("/"), number(&root), "the control: there are two");
    for kind in ["uts", "pid", "mnt"] {
        assert!(inside.is_apart(kind), "{kind}");
    }
    // What it has no blindfold for is the machine's.
    for kind in ["net", "ipc", "user", "cgroup"] {
        assert!(!inside.is_apart(kind), "the control: {kind}");
    }
    assert_eq!(inside.end().status, 0);
}

#[test]
fn it_changes_nothing_even_where_every_mount_is_shared() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    // What is mounted in a namespace whose mounts are all shared, after this.
    let mounted = |command: &str| {
        let script = format!(
            "mount --make-rshared / && {command}; echo; \
             cut -d ' ' -f 5 /proc/self/mountinfo"
        );
        let report = run("unshare", &["-m", "sh", "-c", &script]);
        assert_eq!(report.status, 0, "{report:?}");
        report.stdout
    };
    let ours = format!("{CONTAINER} {root} hostname");
    let said = mounted(&ours);
    assert!(said.starts_with("forty\n"), "{said}");
    assert!(!said.contains(&root), "{said}");
    // The control: the same bind mount, by somebody who has not let go.
    let binds = format!(
        "unshare -m --propagation unchanged mount --bind {root} {root}"
    );
    assert!(mounted(&binds).contains(&root), "the control");
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed() {
    let _machine = Machine::new();
    let folder = Folder::new();
    // No `&`: a shell opens /dev/null for what it starts so, and has none here.
    let inside = start(&own_root(&folder), "sleep 1000 | sleep 1000");
    let its = namespace(inside.pid, "pid");
    witness::eventually("PID 1 and both sleeps to be there", || {
        process::inhabitants(&its).len() == 3
    });
    inside.kill();
    witness::eventually("all of it to end", || {
        process::inhabitants(&its).is_empty()
    });
}

#[test]
fn it_ends_as_its_program_does_and_says_what_failed() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let ends = |arguments: &[&str]| {
        let report = run(CONTAINER, arguments);
        (report.status, report.stderr)
    };
    assert_eq!(ends(&[&root, "sh", "-c", "exit 7"]), (7, String::new()));
    for (arguments, said) in [
        (&[][..], "container: say: container FOLDER PROGRAM [ARGUMENT …]"),
        (&["/no/folder", "sh"], "container: bind: ENOENT"),
        (&[&root, "no-program"], "container: no-program: No such file"),
        (&["/etc/passwd", "sh"], "container: enter: ENOTDIR"),
    ] {
        let (status, stderr) = ends(arguments);
        assert_eq!(status, 125, "{arguments:?}");
        assert!(stderr.starts_with(said), "{arguments:?}: {stderr}");
    }
    let nobody = ["--reuid=65534", "--clear-groups", CONTAINER, &root, "sh"];
    let refused = run("setpriv", &nobody);
    assert_eq!(
        refused.stderr,
        "container: unshare: EPERM: Operation not \
                                permitted\n"
    );
}
