//! step04: images by name, and what they say of themselves.

mod imported_image;

use std::fs;
use std::path::Path;

use imported_image::Beside;
use witness::{Machine, Report, run, run_in};

const STEP04: &str = env!("CARGO_BIN_EXE_step04");

const SAYS: &str = r#"{
    "Env": ["FROM=image", "BOTH=image", "PATH=/bin", "noise"],
    "WorkingDir": "tmp", "User": "",
    "Entrypoint": ["sh", "-c", "echo $FROM $BOTH $PATH $PWD $*", "sh"],
    "Cmd": ["by default"]
}"#;

fn step04(beside: &Beside, flags: &[&str]) -> Report {
    run(beside.0.path(), &[&["-q"], flags].concat())
}

#[test]
fn an_image_is_found_by_its_name_and_by_that_of_its_registry() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    let reference = "docker.io/library/thing:latest";
    beside.image("mine", reference, "{}");
    for name in ["mine", "thing", "thing:latest", reference] {
        let report = step04(&beside, &["--image", name, "cat", "/mark"]);
        let said = (&*report.stdout, &*report.stderr);
        assert_eq!(said, ("mine\n", ""), "{name}");
    }
    // The controls: other names, and a path that ends in this one.
    for name in ["min", "thing:1", "quay.io/thing", "./mine"] {
        let report = step04(&beside, &["--image", name, "cat", "/mark"]);
        assert_eq!(report.status, 125, "{name}: {}", report.stdout);
        assert!(report.stderr.contains("cargo workshop rootfs"));
    }
}

#[test]
fn a_folder_here_and_an_image_of_the_same_name_are_told_apart() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    beside.image("mine", "", "{}");
    let folder = beside.0.beside("here");
    let layer = folder.join("mine");
    let mut cp = witness::command("cp");
    fs::create_dir(&folder).expect("make a folder");
    cp.arg("-a").arg(beside.0.beside("images/mine/0")).arg(&layer);
    assert!(cp.status().expect("start cp").success());
    fs::write(layer.join("mark"), "folder\n").expect("write");
    for (name, mark) in [("mine", "mine\n"), ("./mine", "folder\n")] {
        let flags = ["-q", "--image", name, "cat", "/mark"];
        let report = run_in(beside.0.path(), &flags, &folder, &[]);
        assert_eq!(report.stdout, mark, "{name}: {}", report.stderr);
    }
}

#[test]
fn what_the_image_says_holds_where_the_flags_say_nothing() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    beside.image("says", "", SAYS);
    for (flags, answer) in [
        (&[][..], "image image /bin /tmp by default\n"),
        (&["a", "b"], "image image /bin /tmp a b\n"),
        (&["-e", "BOTH=flag", "a"], "image flag /bin /tmp a\n"),
        (&["--workdir", "/", "a"], "image image /bin / a\n"),
        (&["--entrypoint", "", "echo", "x"], "x\n"),
        (&["--entrypoint", "pwd"], "/tmp\n"),
    ] {
        let (image, flags) = (&["--image", "says"], &flags);
        let report = step04(&beside, &[image, &flags[..]].concat());
        assert_eq!(report.stdout, answer, "{flags:?}: {}", report.stderr);
    }
    // The control: by its layers it is the same files, and says nothing.
    let layer = beside.0.beside("images/says/0");
    let layer = layer.to_str().expect("a plain path");
    let report = step04(&beside, &["--image", layer, "pwd"]);
    assert_eq!(report.stdout, "/\n", "{}", report.stderr);
}

#[test]
fn the_topmost_of_several_has_its_say() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    beside.image("low", "", r#"{"Env": ["A=low"], "Cmd": ["env"]}"#);
    beside.image(
        "high",
        "",
        r#"{"Env": ["B=high"], "Cmd": ["cat", "/mark"]}"#,
    );
    let both = ["--image", "low", "--image", "high"];
    assert_eq!(step04(&beside, &both).stdout, "high\n");
    let env = step04(&beside, &[&both[..], &["env"]].concat()).stdout;
    assert!(env.contains("B=high") && !env.contains("A=low"), "{env}");
}

#[test]
fn a_damaged_record_is_an_error_that_names_it() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    beside.image("thing", "", "{}");
    let record = beside.record("thing");
    let spoils: [fn(&Path); 2] = [
        |record| fs::write(record, "{").expect("spoil it"),
        |record| {
            fs::remove_file(record).expect("remove it");
            fs::create_dir(record).expect("make a folder of that name");
        },
    ];
    for spoil in spoils {
        spoil(&record);
        let report = step04(&beside, &["--image", "thing", "true"]);
        assert_eq!(report.status, 125);
        assert!(report.stderr.contains("thing.json"), "{}", report.stderr);
        assert!(report.stderr.contains("import"), "{}", report.stderr);
    }
    // Nobody else is the worse for it.
    beside.image("other", "by/this", "{}");
    let report = step04(&beside, &["--image", "by/this", "cat", "/mark"]);
    assert_eq!(report.stdout, "other\n", "{}", report.stderr);
    // Without one it is a folder like any other, and this has no program.
    fs::remove_dir(record).expect("remove it");
    let report = step04(&beside, &["--image", "thing", "true"]);
    assert_eq!(report.status, 127, "the control: {}", report.stderr);
}

#[test]
fn images_that_cannot_be_listed_are_an_error_of_their_own() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    let images = beside.0.beside("images");
    let find = || {
        let report = step04(&beside, &["--image", "by/this", "true"]);
        assert_eq!(report.status, 125, "{}", report.stdout);
        report.stderr
    };
    let said = find();
    assert!(said.contains("cargo workshop rootfs"), "the control: {said}");
    fs::write(&images, "").expect("write a file of that name");
    let said = find();
    assert!(said.contains(&format!("list {}", images.display())), "{said}");
    fs::remove_file(images).expect("remove it");
}

#[test]
fn layers_are_never_looked_for_outside_of_the_image() {
    let _machine = Machine::new();
    let beside = Beside::new(STEP04);
    beside.image("thing", "", "{}");
    // An archive's own tree, with a record of another image that is gone.
    let layer = beside.0.beside("images/thing/1");
    fs::remove_dir_all(&layer).expect("remove a layer");
    std::os::unix::fs::symlink("/", &layer).expect("make a link");
    let report = step04(&beside, &["--image", "thing", "ls", "/"]);
    assert_eq!(report.status, 125, "{}", report.stdout);
    assert!(report.stderr.contains("import"), "{}", report.stderr);
}
