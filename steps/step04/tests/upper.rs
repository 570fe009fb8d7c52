//! step04: a folder that keeps the writes.

#[path = "../../step03/tests/own_root/mod.rs"]
mod own_root;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use own_root::own_root;
use witness::{Folder, Machine, Report, run, start};

const STEP04: &str = env!("CARGO_BIN_EXE_step04");

fn inside(flags: &[&str], script: &str) -> Report {
    run(STEP04, &[&["-q"], flags, &["--", "sh", "-c", script]].concat())
}

/// Runs step04 after a preparation, in a mount namespace of its own.
fn after(preparation: &str, flags: &str, command: &str) -> Report {
    let script =
        format!("{preparation} && exec \"$0\" -q {flags} -- {command}");
    run("unshare", &["-m", "sh", "-c", &script, STEP04])
}

fn assert_refused(report: &Report, names: &str) {
    let said = &report.stderr;
    assert_eq!((report.status, &*report.stdout), (125, ""), "{said}");
    assert!(said.starts_with("step04: ") && said.contains(names), "{said}");
    assert_eq!(said.matches("\n  try: ").count(), 1, "{said}");
}

#[test]
fn what_is_written_is_kept_and_found_again() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let upper = folder.text("deep/down/upper");
    let flags = ["--upper", &upper];
    let first = inside(&flags, "echo 1 >/etc/kept; rm /etc/group");
    assert_eq!(first.status, 0, "{}", first.stderr);
    let kept = fs::read_to_string(format!("{upper}/upper/etc/kept"));
    assert_eq!(kept.expect("read what was kept"), "1\n");
    let look = "cat /etc/kept; test -e /etc/group";
    let second = inside(&flags, look);
    assert_eq!((second.status, &*second.stdout), (1, "1\n"));
    let without = inside(&[], look);
    assert_eq!((without.status, &*without.stdout), (0, ""), "the control");
}

#[test]
fn its_root_is_open_to_all_whatever_the_umask() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let upper = folder.text("upper");
    let script = format!("umask 077; \"$0\" -q --upper {upper} -- ls -ld /");
    let report = run("sh", &["-c", &script, STEP04]);
    assert!(report.stdout.starts_with("drwxr-xr-x"), "{}", report.stdout);
    // The control: a mode that the container has set is kept as well.
    inside(&["--upper", &upper], "chmod 711 /");
    let report = run("sh", &["-c", &script, STEP04]);
    assert!(report.stdout.starts_with("drwx--x--x"), "{}", report.stdout);
}

#[test]
fn one_container_at_a_time_writes_to_a_folder() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (upper, other) = (folder.text("upper"), folder.text("other"));
    let flags = ["-q", "--upper", &upper];
    let process = start(STEP04, &flags, "");
    assert_refused(&inside(&flags[1..], "echo ran"), &upper);
    let control = inside(&["--upper", &other], "echo ran");
    assert_eq!(control.stdout, "ran\n", "the control: {}", control.stderr);
    process.end();
    assert_eq!(inside(&flags[1..], "echo ran").stdout, "ran\n");
    // Also when the launcher had no chance to give it back.
    start(STEP04, &flags, "").kill();
    assert_eq!(inside(&flags[1..], "echo ran").stdout, "ran\n");
}

#[test]
fn it_may_be_a_tmpfs_but_not_another_overlay() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let it = folder.text("");
    let tmpfs = format!("mount -t tmpfs none {it}");
    let flags = format!("--upper {it}/upper");
    let script = "sh -c 'echo x >/new; rm -r /etc; mkdir /etc; echo /etc/*'";
    let report = after(&tmpfs, &flags, script);
    assert_eq!(report.stdout, "/etc/*\n", "{}", report.stderr);

    let overlay = format!(
        "{tmpfs} && cd {it} && mkdir l u w && \
         mount -t overlay -o lowerdir=l,upperdir=u,workdir=w none {it}"
    );
    let report = after(&overlay, &flags, "echo ran");
    assert_eq!((report.status, &*report.stdout), (125, ""));
    assert!(report.stderr.contains("EINVAL"), "{}", report.stderr);
    // Who does the exercise may say it in other words.
    if !cfg!(feature = "exercise") {
        assert_refused(&report, "try: an --upper on ext4");
        assert!(report.stderr.contains("dmesg"), "{}", report.stderr);
    }
    // The control: below a tmpfs on that overlay it works again.
    let again = format!("{overlay} && mount -t tmpfs none {it}");
    assert_eq!(after(&again, &flags, "echo ran").stdout, "ran\n");
}

#[test]
fn it_must_be_a_folder_that_can_be_written_to() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (it, file) = (folder.text(""), folder.text("file"));
    fs::write(&file, "").expect("write a file");
    assert_refused(&inside(&["--upper", &file], "echo ran"), &file);
    let below = format!("{file}/upper");
    assert_refused(&inside(&["--upper", &below], "echo ran"), &below);
    let read_only =
        format!("mount --bind {it} {it} && mount -o remount,bind,ro {it}");
    let report = after(&read_only, &format!("--upper {it}/new"), "echo ran");
    assert_refused(&report, "Read-only");
    assert_eq!(fs::metadata(&file).expect("look at it").size(), 0);
    assert_eq!(fs::read_dir(&it).expect("list it").count(), 1);
    let control = inside(&["--upper", &folder.text("new")], "echo ran");
    assert_eq!(control.stdout, "ran\n", "the control: {}", control.stderr);
}

#[test]
fn its_path_may_be_relative_and_have_any_name() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let name = "a,b:c d\\e";
    let flags = ["-q", "--image", &root, "--upper", name, "--"];
    let command = [&flags[..], &["sh", "-c", "echo x >/new"]].concat();
    let report = witness::run_in(STEP04, &command, folder.path(), &[]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(folder.join(name).join("upper/new").exists());
}

#[test]
fn nobody_but_its_owner_can_reach_what_is_kept() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (new, old) = (folder.text("new"), folder.text("old"));
    fs::create_dir(&old).expect("make a folder");
    fs::set_permissions(&old, Permissions::from_mode(0o755)).expect("open it");
    for upper in [&new, &old] {
        let script = "cp /bin/sh /sh; chmod u+s /sh";
        let report = inside(&["--upper", upper], script);
        assert_eq!(report.status, 0, "{}", report.stderr);
        let program = format!("{upper}/upper/sh");
        let mode = fs::metadata(&program).expect("the program").mode();
        assert_eq!(mode & 0o4000, 0o4000, "the control: it is there");
        let stranger = ["--reuid", "65534", "--clear-groups", "sh", "-c"];
        let script = format!("{program} -c 'echo ran'");
        let starts = [&stranger[..], &[&script]].concat();
        let report = run("setpriv", &starts);
        assert_ne!(report.status, 0, "{}", report.stdout);
        assert!(report.stderr.contains("denied"), "{}", report.stderr);
        // The control: it is the folder above that keeps them out.
        fs::set_permissions(upper, Permissions::from_mode(0o755))
            .expect("open it");
        assert_eq!(run("setpriv", &starts).stdout, "ran\n");
    }
    // What holds more than that is not for us to close.
    let shared = folder.text("shared");
    fs::create_dir_all(format!("{shared}/other")).expect("make folders");
    assert_refused(&inside(&["--upper", &shared], "echo ran"), "\"other\"");
    assert_eq!(fs::metadata(&shared).expect("it").mode() & 0o777, 0o755);
}
