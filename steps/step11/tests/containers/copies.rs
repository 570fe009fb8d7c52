//! `cp`: files into a container, and out of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use witness::{Folder, Machine, Report, eventually, run, run_in};

use crate::person::Person;
use crate::{Container, MAP, STEP11};

/// A container in which this has been done.
fn with(flags: &[&str], script: &str) -> Container {
    let script = format!("{script}; echo done; exec sleep 1000");
    let container = Container::start(flags, &script);
    eventually("its files", || container.log().contains("done"));
    container
}

fn copy(source: &str, target: &str) -> Report {
    run(STEP11, &["cp", source, target])
}

/// Copies what must go well.
fn must(source: &str, target: &str) {
    let report = copy(source, target);
    assert_eq!(report.status, 0, "{source} {target}: {}", report.stderr);
    assert_eq!(report.stdout, "");
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("read it")
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("look at it").mode() & 0o7777
}

#[test]
fn a_tree_comes_back_as_it_went_in() {
    let _machine = Machine::new();
    let container = with(&[], "true");
    let folder = Folder::new();
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("empty")).expect("make a folder");
    fs::write(tree.join("large"), vec![7; 300_000]).expect("write it");
    fs::write(tree.join("nothing"), "").expect("write it");
    symlink("../nowhere", tree.join("link")).expect("make a link");
    let odd = std::ffi::OsStr::new("odd \u{1b} name");
    fs::write(tree.join(odd), "odd").expect("write it");
    let private = fs::Permissions::from_mode(0o640);
    fs::set_permissions(tree.join("large"), private).expect("set its mode");
    run("touch", &["-d", "@1000000", &folder.text("tree/large")]);

    let there = format!("{}:/tree", container.name);
    must(&folder.text("tree"), &there);
    let owners = container.exec(&[], &["stat", "-c", "%u:%g", "/tree/large"]);
    assert_eq!(owners.stdout, "0:0\n", "root's of in there");
    must(&there, &folder.text("back"));
    let back = folder.join("back");
    assert_eq!(fs::read(back.join("large")).expect("it"), vec![7; 300_000]);
    assert_eq!(text(back.join("nothing")), "");
    assert_eq!(text(back.join(odd)), "odd");
    assert!(back.join("empty").is_dir());
    let link = fs::read_link(back.join("link")).expect("a link");
    assert_eq!(link, Path::new("../nowhere"));
    let found = fs::metadata(back.join("large")).expect("look at it");
    assert_eq!((found.mode() & 0o777, found.mtime()), (0o640, 1_000_000));
    assert_eq!(fs::read_dir(&back).expect("list it").count(), 5);
}

#[test]
fn where_it_goes_is_as_docker_has_it() {
    let _machine = Machine::new();
    let container = with(&[], "mkdir -p /d/sub; echo one >/d/f");
    let of = |path: &str| format!("{}:{path}", container.name);
    let folder = Folder::new();
    let place = |name: &str| folder.text(name);
    must(&of("/d/f"), &place("named"));
    must(&of("d/f"), folder.path().to_str().expect("a plain path"));
    must(&of("/d"), folder.path().to_str().expect("a plain path"));
    must(&of("/d"), &place("new"));
    must(&of("/d/."), &place("new"));
    fs::create_dir(folder.join("there")).expect("make a folder");
    must(&of("/d/."), &place("there/"));
    for file in ["named", "f", "d/f", "new/f", "there/f"] {
        assert_eq!(text(folder.join(file)), "one\n", "{file}");
    }
    assert!(!folder.join("new/d").exists());
    must(&place("named"), &of("/d/named"));
    must(&place("named"), &of("/d/sub"));
    let list = container.exec(&[], &["ls", "/d", "/d/sub"]).stdout;
    assert_eq!(list, "/d:\nf\nnamed\nsub\n\n/d/sub:\nnamed\n");
    for (source, target, said) in [
        (&*of("/d/f"), &*place("no/f"), "comes first"),
        (&of("/d/f"), &place("no/"), "open the folder"),
        (&of("/d/none"), &place("x"), "read /d/none: ENOENT"),
        (&of("/d"), &place("named"), "make named: ENOTDIR"),
        (&of("/d/f"), &of("/d/g"), "one of the two is in a container"),
        (&place("named"), &place("x"), "one of the two is in a container"),
        (&place("named"), "witness-nobody:/x", "find a container"),
        (&place("none"), &of("/x"), "none: ENOENT"),
        (&place("named"), &of("/no/x"), "open the folder /no/x: ENOENT"),
    ] {
        let report = copy(source, target);
        assert_eq!(report.status, 125, "{source} {target}");
        assert!(report.stderr.contains(said), "{}", report.stderr);
        assert!(!folder.join("x").exists());
    }
}

#[test]
fn a_link_in_the_container_leads_to_what_is_in_it() {
    let _machine = Machine::new();
    let folder = Folder::new();
    fs::write(folder.join("secret"), "of the machine").expect("write it");
    let outside = folder.path().display();
    let script = format!(
        "ln -s {outside} /out; ln -s / /root-of; ln -s {outside}/secret /s; \
         mkdir -p {outside}; echo inside >{outside}/secret"
    );
    let container = with(&[], &script);
    let of = |path: &str| format!("{}:{path}", container.name);
    for path in ["/out/secret", &format!("/../../{outside}/secret")] {
        must(&of(path), &folder.text("got"));
        assert_eq!(text(folder.join("got")), "inside\n", "{path}");
    }
    // At the end it is copied as a link, unless it is to be followed.
    must(&of("/s"), &folder.text("link"));
    assert!(folder.join("link").is_symlink());
    let follow = ["cp", "-L", &of("/s"), &folder.text("followed")];
    assert_eq!(run(STEP11, &follow).status, 0);
    assert_eq!(text(folder.join("followed")), "inside\n");
    must(&folder.text("secret"), &of("/out/new"));
    assert!(!folder.join("new").exists(), "the machine has it");
    let there = container.exec(&[], &["cat", &format!("{outside}/new")]);
    assert_eq!(there.stdout, "of the machine", "and the container has it");
}

#[test]
fn nothing_is_written_through_a_link_of_the_target() {
    let _machine = Machine::new();
    let script = "mkdir -p /d/sub; echo new >/d/f; echo new >/d/sub/g";
    let container = with(&[], script);
    let of = |path: &str| format!("{}:{path}", container.name);
    let folder = Folder::new();
    fs::create_dir_all(folder.join("else")).expect("make a folder");
    fs::create_dir_all(folder.join("d")).expect("make a folder");
    fs::write(folder.join("else/kept"), "as it was").expect("write it");
    symlink("../else/kept", folder.join("d/f")).expect("make a link");
    must(&of("/d"), folder.path().to_str().expect("a plain path"));
    assert_eq!(text(folder.join("else/kept")), "as it was");
    assert_eq!(text(folder.join("d/f")), "new\n", "it takes its place");
    fs::remove_dir_all(folder.join("d/sub")).expect("remove it");
    symlink("../else", folder.join("d/sub")).expect("make a link");
    let report = copy(&of("/d"), folder.path().to_str().expect("a path"));
    assert_eq!(report.status, 125, "a link is no folder");
    assert!(report.stderr.contains("make sub: "), "{}", report.stderr);
    assert!(!folder.join("else/g").exists());
    // The control: a link that the caller has named is followed.
    must(&of("/d/sub/."), &folder.text("d/sub"));
    assert_eq!(text(folder.join("else/g")), "new\n");
}

#[test]
fn pipes_and_devices_are_no_traps() {
    let _machine = Machine::new();
    let script = "mkdir /d; mkfifo /d/pipe; echo kept >/d/f";
    let container = with(&[], script);
    let of = |path: &str| format!("{}:{path}", container.name);
    let folder = Folder::new();
    let report = copy(&of("/d"), &folder.text("d"));
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(report.stderr.contains("/d/pipe"), "{}", report.stderr);
    assert_eq!(fs::read_dir(folder.join("d")).expect("it").count(), 1);
    assert_eq!(text(folder.join("d/f")), "kept\n", "the control");
    for trap in ["/d/pipe", "/dev/zero", "/dev/tty"] {
        let report = copy(&of(trap), &folder.text("x"));
        assert_eq!(report.status, 125, "{trap}");
        assert!(report.stderr.contains("no file, folder or link"));
    }
}

#[test]
fn what_root_inside_has_made_does_not_run_as_root_outside() {
    let _machine = Machine::new();
    let script = "cp /bin/busybox /b; chmod 6755 /b; mkdir /d; chmod 1777 /d";
    let container = with(&[], script);
    let of = |path: &str| format!("{}:{path}", container.name);
    let inside = container.exec(&[], &["stat", "-c", "%a", "/b", "/d"]);
    assert_eq!(inside.stdout, "6755\n1777\n", "the control");
    let folder = Folder::new();
    must(&of("/b"), &folder.text("b"));
    must(&of("/d"), &folder.text("d"));
    assert_eq!(
        (mode(folder.join("b")), mode(folder.join("d"))),
        (0o755, 0o777)
    );
}

#[test]
fn a_copy_belongs_to_who_has_asked_for_it() {
    let _machine = Machine::new();
    let script = "mkdir /d; echo x >/d/f; ln -s f /d/l; chown 7:8 /d/f";
    let container = with(&MAP, script);
    let of = format!("{}:/d", container.name);
    let folder = Folder::new();
    let owners = |name: &str| {
        let owner = |file| {
            let path = folder.join(name).join(file);
            let found = fs::symlink_metadata(path).expect("look at it");
            (found.uid(), found.gid())
        };
        ["", "f", "l"].map(owner)
    };
    must(&of, &folder.text("roots"));
    // Root, or who has typed sudo to run the tests.
    let own = |name| {
        let number = std::env::var(name).unwrap_or_default();
        number.parse::<u32>().unwrap_or_default()
    };
    let asked = (own("SUDO_UID"), own("SUDO_GID"));
    assert_eq!(owners("roots"), [asked; 3]);
    let call = ["cp", &of, &folder.text("persons")];
    let sudo = [("SUDO_UID", "1500"), ("SUDO_GID", "1501")];
    let report = run_in(STEP11, &call, Path::new("."), &sudo);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(owners("persons"), [(1500, 1501); 3]);
}

/// It acts as root of in there, and not of the machine.
#[test]
fn what_root_inside_may_not_write_cp_does_not_write() {
    let _machine = Machine::new();
    let container = with(&["--unmask"], "ln -s /proc/sys/kernel /k");
    let folder = Folder::new();
    fs::write(folder.join("panic_on_oops"), "1\n").expect("write it");
    let before = text("/proc/sys/kernel/panic_on_oops");
    let there = format!("{}:/k", container.name);
    let report = copy(&folder.text("panic_on_oops"), &there);
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert_eq!(text("/proc/sys/kernel/panic_on_oops"), before);
    must(&folder.text("panic_on_oops"), &format!("{}:/tmp", container.name));
}

#[test]
fn folders_without_end_are_an_error() {
    let _machine = Machine::new();
    let script = "i=0; while [ $i -lt 500 ]; do mkdir d; cd -P d || exit 1; \
        i=$((i+1)); done; cd /; mkdir shallow";
    let container = with(&[], script);
    let of = |path: &str| format!("{}:{path}", container.name);
    let folder = Folder::new();
    let report = copy(&of("/d"), &folder.text("d"));
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("more than 200"), "{}", report.stderr);
    must(&of("/shallow"), &folder.text("control"));
}

#[test]
fn a_person_without_root_copies_as_well() {
    let _machine = Machine::new();
    let person = Person::new();
    let usual = ["run", "-qd", "--rootless", "--name", "it", "--", "sh", "-c"];
    let script = "echo inside >/f; exec sleep 1000";
    assert_eq!(person.run(&[&usual[..], &[script]].concat()).status, 0);
    let cp = |source: &str, target: &str| {
        person.run(&["cp", "--rootless", source, target])
    };
    let here = person.home.text("run/got");
    let ready = ["exec", "--rootless", "it", "cat", "/f"];
    eventually("its file", || person.run(&ready).stdout == "inside\n");
    let report = cp("it:/f", &here);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(text(&here), "inside\n");
    let owner = fs::metadata(&here).expect("look at it").uid();
    assert_eq!(owner, crate::person::UID);
    let report = cp(&here, "it:/back");
    assert_eq!(report.status, 0, "{}", report.stderr);
    let exec = ["exec", "--rootless", "it", "stat", "-c", "%u", "/back"];
    assert_eq!(person.run(&exec).stdout, "0\n");
    // Where the person may not write, root inside may not either.
    let report = cp("it:/f", "/etc/witness-was-here");
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert!(!Path::new("/etc/witness-was-here").exists());
    let report = person.run(&["rm", "--rootless", "--force", "it"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
}
