//! step03 from outside: what a volume shows, and what it never touches.

mod own_root;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use own_root::own_root;
use witness::{Folder, Machine, Report, mounts, run, run_in, start};

const STEP03: &str = env!("CARGO_BIN_EXE_step03");
const READ_ONLY: &str = "Read-only file system";

/// Runs a script in a container with this root and these volumes.
fn inside(root: &str, volumes: &[&str], script: &str) -> Report {
    let mut arguments = vec!["-q", "--rootfs", root];
    volumes.iter().for_each(|volume| arguments.extend(["-v", volume]));
    arguments.extend(["--", "sh", "-c", script]);
    run(STEP03, &arguments)
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::write(path, text).expect("write a file");
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("read a file")
}

fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("list a folder").flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn what_is_written_to_a_folder_is_written_on_the_machine() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    write(folder.join("ours"), "from outside\n");
    let volume = format!("{}:/mnt", folder.text(""));
    let script = "cat /mnt/ours; echo from inside >/mnt/theirs";
    assert_eq!(inside(&root, &[&volume], script).stdout, "from outside\n");
    assert_eq!(read(folder.join("theirs")), "from inside\n");
    let control = inside(&root, &[], "ls /mnt");
    assert_eq!(control.stdout, "", "the control: an empty folder without");
}

#[test]
fn a_read_only_volume_is_so_even_for_root() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let (file, it) = (folder.text("file"), folder.text(""));
    write(&file, "as it was\n");
    let whole = format!("{it}:/mnt:ro");
    let single = format!("{file}:/etc/single:ro");
    for change in ["echo x >", "touch ", "chmod 777 ", "rm "] {
        let script = format!("{change}/mnt/file");
        let said = inside(&root, &[&whole], &script).stderr;
        assert!(said.contains(READ_ONLY), "{script}: {said}");
    }
    for change in ["echo x >", "touch ", "chmod 777 "] {
        let script = format!("{change}/etc/single");
        let said = inside(&root, &[&single], &script).stderr;
        assert!(said.contains(READ_ONLY), "{script}: {said}");
    }
    assert_eq!(read(&file), "as it was\n");
    let volume = format!("{it}:/mnt:rw");
    let control = inside(&root, &[&volume], "echo x >/mnt/file");
    assert_eq!(control.status, 0, "the control: {}", control.stderr);
}

#[test]
fn a_file_a_socket_and_a_device_can_be_volumes() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    write(folder.join("file"), "one file\n");
    let _socket = UnixListener::bind(folder.join("socket")).expect("bind");
    let volumes = [
        format!("{}:/etc/os-release", folder.text("file")),
        format!("{}:/run/new/socket", folder.text("socket")),
        "/dev/null:/dev/extra".to_owned(),
    ];
    let volumes = volumes.each_ref().map(String::as_str);
    let script = "cat /etc/os-release && test -S /run/new/socket && \
                  test -c /dev/extra && echo all";
    let report = inside(&root, &volumes, script);
    assert_eq!(report.stdout, "one file\nall\n", "{}", report.stderr);
    let control = inside(&root, &[], script);
    assert!(control.stdout.contains("ID=blindfolds"), "the control");
}

#[test]
fn what_is_mounted_below_a_volume_comes_along() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    fs::create_dir(folder.join("sub")).expect("make a folder");
    let step03 = |flags: &str, script: &str| {
        let mount = format!(
            "mount -t tmpfs none \"$1/sub\" && echo below >\"$1/sub/file\" && \
             exec \"$0\" -q --rootfs {root} -v \"$1:/mnt{flags}\" -- sh -c '{script}'"
        );
        let folder = folder.text("");
        run("unshare", &["-m", "sh", "-c", &mount, STEP03, &folder])
    };
    assert_eq!(step03("", "cat /mnt/sub/file").stdout, "below\n");
    let said = step03(":ro", "touch /mnt/sub/file").stderr;
    assert!(said.contains(READ_ONLY), "read-only throughout: {said}");
    let writable = step03("", "touch /mnt/sub/file");
    assert_eq!(writable.status, 0, "the control: {}", writable.stderr);
    let volume = format!("{}:/mnt", folder.text(""));
    let without = inside(&root, &[&volume], "ls /mnt/sub");
    assert_eq!(without.stdout, "", "the control: nothing is mounted");
}

#[test]
fn a_target_that_is_not_there_is_made_whatever_the_umask() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    write(folder.join("file"), "deep\n");
    let script = format!(
        "umask 077; exec \"$0\" -q --rootfs {root} -v {}:/new/folder \
         -v {}:/other/file -- sh -c 'cat /new/folder/file /other/file; umask'",
        folder.text(""),
        folder.text("file"),
    );
    let report = run("sh", &["-c", &script, STEP03]);
    assert_eq!(report.stdout, "deep\ndeep\n0077\n", "{}", report.stderr);
    for (name, mode) in
        [("new", 0o755), ("new/folder", 0o755), ("other/file", 0o644)]
    {
        let made = fs::metadata(format!("{root}/{name}")).expect("it is made");
        assert_eq!(made.mode() & 0o7777, mode, "{name}");
    }
    assert_eq!(names(format!("{root}/new/folder")), [""; 0], "unmounted");
}

#[test]
fn a_link_in_the_image_leads_nowhere_outside() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let (outside, shown) = (folder.text("outside"), folder.text("shown"));
    fs::create_dir(&outside).expect("make a folder");
    fs::create_dir(&shown).expect("make a folder");
    write(folder.join("shown/file"), "shown\n");
    // `up` climbs out of the root, `out` names a folder of the machine.
    let up = format!("{}etc", "../".repeat(40));
    symlink(up, format!("{root}/up")).expect("make a link");
    symlink(&outside, format!("{root}/out")).expect("make a link");
    let leads = |link: &str| fs::canonicalize(format!("{root}/{link}"));
    assert_eq!(leads("up").expect("a folder"), Path::new("/etc"), "premise");
    assert_eq!(leads("out").expect("a folder"), Path::new(&outside));

    let flags = |inside: &str| format!("{shown}:{inside}");
    let script = "cat /etc/made/file; cat";
    let up = flags("/up/made");
    let process = start(STEP03, &["-q", "--rootfs", &root, "-v", &up], script);
    let is_covered = |pid: i32| {
        let points = mounts(pid).into_iter().map(|mount| mount.point);
        points.filter(|point| point == "/etc/made").count()
    };
    assert_eq!(is_covered(process.pid), 1, "it is mounted inside the root");
    assert_eq!(process.end().stdout, "shown\n");
    assert!(Path::new(&format!("{root}/etc/made")).is_dir());
    assert!(!Path::new("/etc/made").exists(), "made on the machine");

    // What `out` names is made inside, and nothing behind it on the machine.
    let out = flags("/out/made");
    let script = "cat /out/made/file";
    assert_eq!(inside(&root, &[&out], script).stdout, "shown\n");
    assert_eq!(names(&outside), [""; 0], "made on the machine");
    assert_eq!(names(format!("{root}{outside}")), ["made"]);
}

#[test]
fn what_a_link_to_nothing_names_is_made_inside() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let (it, file) = (folder.text("shown"), folder.text("shown/file"));
    fs::create_dir(&it).expect("make a folder");
    write(&file, "shown\n");
    let links = [
        ("relative", "var/nowhere"),
        ("absolute", "/var/other/deep"),
        ("chain", "relative-too"),
        ("relative-too", "/absolute-too"),
        ("absolute-too", "mnt/at/last"),
        ("etc/up", "../../../../../risen"),
        ("etc/detour", "missing/../found"),
        ("inner", "etc/beside"),
        ("etc/beside", "../opt/beside"),
    ];
    for (link, target) in links {
        symlink(target, format!("{root}/{link}")).expect("make a link");
    }
    let leads = |link: &str| Path::new(&root).join(link).exists();
    let leads = links.iter().any(|(link, _)| leads(link));
    assert!(!leads, "the control: all of them lead to nothing");
    for (link, _) in links {
        let below = format!("{it}:/{link}/x/y");
        let script = format!("cat /{link}/x/y/file");
        let report = inside(&root, &[&below], &script);
        assert_eq!(report.stdout, "shown\n", "{link}: {}", report.stderr);
    }
    for (link, target) in [("a-folder", "new/d"), ("a-file", "/new/f")] {
        symlink(target, format!("{root}/{link}")).expect("make a link");
    }
    let both = [format!("{it}:/a-folder"), format!("{file}:/a-file")];
    let both = both.each_ref().map(String::as_str);
    let script = "cat /a-folder/file /a-file /new/f";
    assert_eq!(inside(&root, &both, script).stdout, "shown\n".repeat(3));
    for made in ["risen/x/y", "etc/found/x/y", "opt/beside/x/y", "new/d"] {
        assert!(Path::new(&root).join(made).is_dir(), "{made}");
        assert!(!Path::new("/").join(made).exists(), "{made} on the machine");
    }
}

#[test]
fn links_that_lead_to_each_other_or_up_to_the_root_are_refused() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let it = folder.text("shown");
    fs::create_dir(&it).expect("make a folder");
    for (link, target) in [
        ("one", "two"),
        ("two", "/one"),
        ("round", "missing/../round"),
        ("top", "/"),
        ("top-by-nothing", "/none/.."),
        ("fine", "/none/but/this"),
    ] {
        symlink(target, format!("{root}/{link}")).expect("make a link");
    }
    for (target, status, why) in [
        ("/one", 125, "ELOOP"),
        ("/one/x", 125, "ELOOP"),
        ("/round", 125, "ELOOP"),
        ("/top", 125, "it is / itself"),
        ("/top-by-nothing", 125, "it is / itself"),
        ("/top/x", 0, ""),
        ("/fine", 0, ""),
    ] {
        let report = inside(&root, &[&format!("{it}:{target}")], "true");
        assert_eq!(report.status, status, "{target}: {}", report.stderr);
        assert!(report.stderr.contains(why), "{target}: {}", report.stderr);
        let advises = report.stderr.contains("\n  try: ");
        assert_eq!(advises, status != 0, "{}", report.stderr);
    }
}

#[test]
fn a_volume_in_a_volume_shows_whatever_the_order_of_the_flags() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    for (name, text) in [("outer", "outer\n"), ("inner", "inner\n")] {
        fs::create_dir(folder.join(name)).expect("make a folder");
        write(folder.join(&format!("{name}/file")), text);
    }
    fs::create_dir(folder.join("outer/sub")).expect("make a folder");
    let outer = format!("{}:/mnt", folder.text("outer"));
    let inner = format!("{}:/mnt//sub/", folder.text("inner"));
    let script = "cat /mnt/file /mnt/sub/file";
    for volumes in [[&*outer, &*inner], [&*inner, &*outer]] {
        let report = inside(&root, &volumes, script);
        assert_eq!(report.stdout, "outer\ninner\n", "{}", report.stderr);
    }
    let control = inside(&root, &[&outer], script);
    assert_eq!(control.stdout, "outer\n", "the control: one alone");
}

#[test]
fn a_volume_that_is_not_there_is_an_error_and_is_not_made() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let missing = folder.text("missing");
    let volume = format!("{missing}:/made");
    let flags = ["-q", "--rootfs", &root, "-v", &volume, "--", "echo", "ran"];
    let report = run(STEP03, &flags);
    assert_eq!((report.status, &*report.stdout), (125, ""));
    assert!(report.stderr.contains(&missing), "{}", report.stderr);
    assert!(report.stderr.contains("\n  try: "), "{}", report.stderr);
    assert!(!Path::new(&missing).exists());
    assert!(!Path::new(&format!("{root}/made")).exists());
    fs::create_dir(&missing).expect("make it");
    let control = run(STEP03, &flags);
    assert_eq!((control.status, &*control.stdout), (0, "ran\n"));
}

#[test]
fn a_folder_goes_on_a_folder_and_a_file_on_a_file() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    write(folder.join("file"), "");
    let (it, file) = (folder.text(""), folder.text("file"));
    for (source, target, status) in [
        (&it, "/etc/passwd", 125),
        (&file, "/etc", 125),
        (&it, "/etc", 0),
        (&file, "/etc/passwd", 0),
        // A folder below a file cannot be made.
        (&it, "/etc/passwd/x", 125),
        (&it, "/proc/x", 125),
    ] {
        let report = inside(&root, &[&format!("{source}:{target}")], "true");
        assert_eq!(report.status, status, "{target}: {}", report.stderr);
        let advises = report.stderr.contains("\n  try: ");
        assert_eq!(advises, status != 0, "{}", report.stderr);
    }
}

#[test]
fn a_specification_that_means_nothing_is_refused() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    for wrong in [
        "/tmp",
        "/tmp:",
        ":/mnt",
        "/tmp:mnt",
        "/tmp:/mnt:no",
        "/tmp:/a:ro:b",
        "/tmp:/",
        "/tmp://.",
        "/tmp:/mnt/../../etc",
    ] {
        let report = inside(&root, &[wrong], "echo ran");
        assert_eq!((report.status, &*report.stdout), (2, ""), "{wrong}");
        assert!(report.stderr.contains("--volume"), "{}", report.stderr);
    }
    for right in ["/tmp:/mnt", "/tmp:/mnt/", "/tmp:/mnt/./x:ro"] {
        let report = inside(&root, &[right], "echo ran");
        assert_eq!(report.status, 0, "the control: {}", report.stderr);
    }
}

#[test]
fn the_machines_path_may_be_private_relative_or_have_any_name() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let private = folder.join("ganz privat, für mich");
    fs::create_dir_all(private.join("shared")).expect("make folders");
    write(private.join("shared/file"), "found\n");
    fs::set_permissions(&private, Permissions::from_mode(0o700))
        .expect("make it private");
    let absolute = format!("{}/shared:/mnt", private.display());
    for volume in [&*absolute, "shared:/mnt", ".:/mnt/deep er"] {
        let script = "cat /mnt/file '/mnt/deep er/shared/file' 2>/dev/null";
        let flags =
            ["-q", "--rootfs", &root, "-v", volume, "--", "sh", "-c", script];
        let report = run_in(STEP03, &flags, &private, &[]);
        assert_eq!(report.stdout, "found\n", "{volume}: {}", report.stderr);
    }
}

#[test]
fn what_is_the_kernels_is_not_covered_by_any_way() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    write(folder.join("file"), "");
    fs::create_dir(folder.join("deny")).expect("make a folder");
    symlink("/proc/self", format!("{root}/link")).expect("make a link");
    let (it, file) = (folder.text("deny"), folder.text("file"));
    for (source, target) in [
        (&it, "/proc"),
        (&it, "/sys"),
        (&it, "/proc/sys"),
        (&it, "/sys/kernel"),
        (&file, "/proc/self/setgroups"),
        (&file, "/link/uid_map"),
    ] {
        let report = inside(&root, &[&format!("{source}:{target}")], "true");
        assert_eq!(report.status, 125, "{target}");
        let error = "keep what is the kernel's";
        assert!(report.stderr.contains(error), "{target}: {}", report.stderr);
    }
    let report = inside(&root, &[&format!("{it}:/dev")], "true");
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}
