//! step04: an image of several layers, and images that are none.

#[path = "../../step03/tests/own_root/mod.rs"]
mod own_root;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, mknod};
use own_root::own_root;
use witness::{Folder, Machine, Report, run, run_in};

const STEP04: &str = env!("CARGO_BIN_EXE_step04");

/// Runs a script on these layers, lowest first.
fn inside(layers: &[&str], script: &str) -> Report {
    let mut arguments = vec!["-q"];
    layers.iter().for_each(|layer| arguments.extend(["--image", layer]));
    arguments.extend(["--", "sh", "-c", script]);
    run(STEP04, &arguments)
}

/// Makes a layer with these files in it, each with its content.
fn layer(folder: &Folder, name: &str, files: &[(&str, &str)]) -> String {
    let layer = folder.join(name);
    fs::create_dir_all(&layer).expect("make a layer");
    for (path, content) in files {
        let path = layer.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make it");
        fs::write(path, content).expect("write a file");
    }
    folder.text(name)
}

fn whiteout(path: impl AsRef<Path>) {
    mknod(path.as_ref(), SFlag::S_IFCHR, Mode::empty(), 0)
        .expect("make a whiteout");
}

fn make_opaque(folder: &Path) {
    let path = CString::new(folder.as_os_str().as_bytes()).expect("a path");
    let (name, value) = (c"trusted.overlay.opaque", b"y");
    // SAFETY: both strings end in a zero byte, the value is as long as said.
    let answer = unsafe {
        let value = value.as_ptr().cast();
        libc::setxattr(path.as_ptr(), name.as_ptr(), value, 1, 0)
    };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_higher_layer_covers_a_lower_one() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let one = [("d/same", "1"), ("d/one", "1"), ("kind/file", "1")];
    let one = layer(&folder, "one", &one);
    let two = [("d/same", "2"), ("d/two", "2"), ("kind", "2")];
    let two = layer(&folder, "two", &two);
    let script = "cd /d && grep . *; cat /kind || ls /kind";
    let report = inside(&[&root, &one, &two], script);
    assert_eq!(report.stdout, "one:1\nsame:2\ntwo:2\n2", "{}", report.stderr);
    let other = inside(&[&root, &two, &one], script);
    assert_eq!(other.stdout, "one:1\nsame:1\ntwo:2\nfile\n", "the control");
}

#[test]
fn a_whiteout_in_a_layer_hides_a_file_of_those_below() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let low = [("d/gone", ""), ("d/kept", ""), ("o/old", ""), ("o/e/old", "")];
    let low = layer(&folder, "low", &low);
    let high = layer(&folder, "high", &[("d/new", ""), ("o/new", "")]);
    whiteout(folder.join("high/d/gone"));
    make_opaque(&folder.join("high/o"));
    let top = layer(&folder, "top", &[("d/gone", "back again\n")]);
    let script = "cat /d/gone; echo /d/* /o/*";
    let hidden = inside(&[&root, &low, &high], script);
    assert_eq!(hidden.stdout, "/d/kept /d/new /o/new\n");
    let again = inside(&[&root, &low, &high, &top], script);
    let shown = "back again\n/d/gone /d/kept /d/new /o/new\n";
    assert_eq!(again.stdout, shown);
    let control = inside(&[&root, &low], script);
    assert_eq!(control.stdout, "/d/gone /d/kept /o/e /o/old\n", "the control");
}

#[test]
fn sixty_layers_are_fine_and_too_many_are_an_error() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let mut layers = vec![own_root(&folder)];
    layers.extend((1..=600).map(|number| {
        let text = number.to_string();
        let files = [("top", &*text), (&format!("d/{text}"), "")];
        // Those above the first sixty may be empty.
        layer(&folder, &text, if number <= 60 { &files } else { &[] })
    }));
    let layers: Vec<_> = layers.iter().map(String::as_str).collect();
    let script = "cat /top; echo; ls /d | wc -l";
    for (count, shown) in [(1, 1), (60, 60), (400, 60)] {
        let report = inside(&layers[..=count], script);
        let shown = format!("{shown}\n{shown}\n");
        assert_eq!(report.stdout, shown, "{}", report.stderr);
    }
    let report = inside(&layers, script);
    assert_eq!((report.status, &*report.stdout), (125, ""));
    // How many there were is what the exercise asks for, in any words; and
    // the kernel was not asked.
    assert!(report.stderr.contains("602"), "{}", report.stderr);
    assert!(!report.stderr.contains("EINVAL"), "{}", report.stderr);
    assert!(report.stderr.len() < 200, "{}", report.stderr);
}

#[test]
fn a_layer_is_named_once() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let below = format!("{root}/etc");
    for layers in [[&root, &root], [&root, &below]] {
        let report = inside(&layers.map(String::as_str), "echo ran");
        assert_eq!((report.status, &*report.stdout), (125, ""));
        assert!(report.stderr.contains("ELOOP"), "{}", report.stderr);
        // Who does the exercise may say it in other words.
        if !cfg!(feature = "exercise") {
            let advice = "try: name each layer once";
            assert!(report.stderr.contains(advice), "{}", report.stderr);
        }
        assert!(!report.stderr.contains("dmesg"), "{}", report.stderr);
    }
    assert_eq!(inside(&[&root], "echo ran").stdout, "ran\n", "the control");
}

#[test]
fn what_is_no_folder_is_no_layer() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let (root, upper) = (own_root(&folder), folder.text("upper"));
    fs::write(folder.join("image.tar"), "").expect("write a file");
    for wrong in ["missing", "image.tar"].map(|name| folder.text(name)) {
        let more = ["--upper", &upper, "--", "echo", "ran"];
        let flags = ["-q", "--image", &root, "--image", &wrong];
        let report = run(STEP04, &[&flags[..], &more].concat());
        assert_eq!((report.status, &*report.stdout), (125, ""));
        assert!(report.stderr.contains(&wrong), "{}", report.stderr);
        assert!(report.stderr.contains("\n  try: "), "{}", report.stderr);
        assert!(!Path::new(&upper).exists(), "nothing is made");
    }
    assert_eq!(inside(&[&root], "echo ran").stdout, "ran\n", "the control");
}

#[test]
fn an_image_without_a_shell_takes_a_command() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let empty = layer(&folder, "empty", &[]);
    let report = run(STEP04, &["-q", "--image", &empty]);
    assert_eq!(report.status, 125);
    assert!(report.stderr.contains("/bin/sh"), "{}", report.stderr);
    assert!(report.stderr.contains("\n  try: "), "{}", report.stderr);
    let report = run(STEP04, &["-q", "--image", &empty, "--", "sh"]);
    assert_eq!(report.status, 127, "named, it is a command not found");
}

#[test]
fn either_an_image_or_a_rootfs() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let both = ["-q", "--image", &root, "--rootfs", &root, "--", "true"];
    let report = run(STEP04, &both);
    assert_eq!(report.status, 2);
    assert!(report.stderr.contains("cannot be used with"));
    for one in [&both[..3], &[&["-q"], &both[3..5]].concat()] {
        let control = run(STEP04, &[one, &["--", "true"]].concat());
        assert_eq!(control.status, 0, "the control: {}", control.stderr);
    }
}

#[test]
fn an_image_may_lie_under_tmp_where_the_overlay_is_put_together() {
    let _machine = Machine::new();
    let folder = Folder::new();
    own_root(&folder);
    fs::write(folder.join("shown"), "volume\n").expect("write a file");
    // Wherever the folder is, in this mount namespace it is /tmp, and only a
    // copy of the rung is sure to be found there.
    let script = format!(
        "cp \"$0\" {it} && mount --bind {it} /tmp && \
         exec /tmp/step04 -q --image /tmp/root --upper /tmp/kept \
         -v /tmp/shown:/shown -- \
         sh -c 'cat /shown; echo kept >/new; echo /tmp/*'",
        it = folder.text("")
    );
    let report = run("unshare", &["-m", "sh", "-c", &script, STEP04]);
    assert_eq!(report.stdout, "volume\n/tmp/*\n", "{}", report.stderr);
    let kept = fs::read_to_string(folder.join("kept/upper/new"));
    assert_eq!(kept.expect("read what was kept"), "kept\n");
}

#[test]
fn an_image_may_be_private_and_have_any_name() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    // Signs that have a meaning in the options of an overlay.
    let private = folder.join("a,b:c d\\e\"ü");
    fs::create_dir(&private).expect("make a folder");
    let image: PathBuf = private.join("upperdir=x");
    fs::rename(root, &image).expect("move the image");
    symlink(&image, folder.join("link")).expect("make a link");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700))
        .expect("make it private");
    let absolute = image.to_str().expect("text");
    for path in [absolute, "link", "./link"] {
        let flags = ["-q", "--image", path, "--", "echo", "ran"];
        let report = run_in(STEP04, &flags, folder.path(), &[]);
        assert_eq!(report.stdout, "ran\n", "{path}: {}", report.stderr);
    }
}
