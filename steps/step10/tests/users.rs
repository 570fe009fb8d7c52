//! Who runs the command, by the image's own /etc/passwd and /etc/group.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use witness::{Folder, Machine, Report, output, run};

const STEP10: &str = env!("CARGO_BIN_EXE_step10");

/// An image with these users and groups, of root's.
struct Image {
    folder: Folder,
}

const PASSWD: &str = "# no:x:9:9::/no:\n\
    root:x:0:0:root:/root:/bin/sh\n\
    nonsense\n\
    www:x:33:34::/var/www:/bin/false\n\
    ann:x:1000:1001:Ann, of here:/home/ann:/bin/sh\n\
    far:x:99999:99999::/home/far:/bin/sh\n\
    big:x:4294967296:1::/big:/bin/sh\n\
    twin:x:1000:7::/home/twin:/bin/sh\n";

const GROUP: &str = "root:x:0:\naudio:x:29:bob,ann\nann:x:1001:\n\
    video:x:44:ann\nnonsense:x:y:ann\nmap:x:99999:zoe\nzoe:x:5:\n";

impl Image {
    fn new() -> Image {
        let image = Image { folder: Folder::new() };
        let shared = step03::rootfs::default_path().expect("a folder");
        step03::rootfs::ensure(&shared).expect("make the root filesystem");
        let mut copy = witness::command("cp");
        copy.args(["-a"]).arg(shared).arg(image.folder.join("root"));
        assert!(output(&mut copy).status.success());
        image.write("passwd", PASSWD);
        image.write("group", GROUP);
        image
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.join(&format!("root/etc/{name}"))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write a file");
    }

    /// Runs a script in it, with these flags.
    fn run(&self, flags: &[&str], script: &str) -> Report {
        let map = ["--uid-map", "0:100000:65536"];
        let groups = ["--gid-map", "0:100000:65536"];
        let root = self.folder.text("root");
        let image = ["-q", "--network", "none", "--image", &root];
        let command = ["--", "sh", "-c", script];
        run(STEP10, &[&image, &map[..], &groups, flags, &command].concat())
    }

    /// User, group, the groups beside, and the home of who runs the command.
    fn who(&self, flags: &[&str]) -> String {
        let script = "set -- $(grep -E '^(Uid|Gid):' /proc/self/status); \
            set -- $2 $7 $(grep Groups: /proc/self/status); \
            echo $* $HOME ${USER-unset}";
        let report = self.run(flags, script);
        assert_eq!(report.status, 0, "{flags:?}: {}", report.stderr);
        report.stdout.trim_end().to_owned()
    }
}

#[test]
fn a_user_has_the_groups_and_the_home_that_the_image_says() {
    let _machine = Machine::new();
    let image = Image::new();
    for (user, expected) in [
        ("ann", "1000 1001 Groups: 29 44 /home/ann unset"),
        ("1000", "1000 1001 Groups: 29 44 /home/ann unset"),
        ("twin", "1000 7 Groups: /home/twin unset"),
        ("www", "33 34 Groups: /var/www unset"),
        ("33", "33 34 Groups: /var/www unset"),
        ("ann:audio", "1000 29 Groups: /home/ann unset"),
        ("ann:50", "1000 50 Groups: /home/ann unset"),
        ("1000:video", "1000 44 Groups: /home/ann unset"),
        ("1000:1000", "1000 1000 Groups: /home/ann unset"),
        // No line of passwd has it.
        ("77", "77 0 Groups: / unset"),
        ("77:8", "77 8 Groups: / unset"),
        ("root", "0 0 Groups: /root unset"),
        ("0:0", "0 0 Groups: /root unset"),
    ] {
        assert_eq!(image.who(&["--user", user]), expected, "--user {user}");
    }
    assert_eq!(image.who(&[]), "0 0 Groups: /root unset", "the control");
    image.write("passwd", "root:x:0:0::/elsewhere:\n");
    assert_eq!(image.who(&[]), "0 0 Groups: /elsewhere unset");
    let given = ["--env", "HOME=/given", "--env", "USER=me"];
    assert_eq!(image.who(&given), "0 0 Groups: /given me");
}

#[test]
fn who_has_a_home_can_write_there() {
    let _machine = Machine::new();
    let image = Image::new();
    let home = image.folder.join("root/home/ann");
    fs::create_dir_all(&home).expect("make a home");
    // In an image of the machine's root, its numbers are those inside. (What
    // this one is a copy of may be a person's.)
    let mut all = witness::command("chown");
    let status = all.args(["-hR", "0:0"]).arg(image.folder.path()).status();
    assert!(status.expect("start chown").success());
    chown(&home, Some(1000), Some(1001)).expect("give it away");
    let script = "cd && pwd && echo x >~/.config && cat .config";
    let report = image.run(&["--user", "ann"], script);
    assert_eq!(report.stdout, "/home/ann\nx\n", "{}", report.stderr);
    let control = image.run(&["--user", "www"], "echo x >~/.config");
    assert_ne!(control.status, 0, "the control: /var/www is root's");
}

#[test]
fn a_name_that_is_not_in_there_is_an_error_that_names_it() {
    let _machine = Machine::new();
    let image = Image::new();
    for (user, said) in [
        ("eve", "find the user eve: not in /etc/passwd"),
        ("eve:0", "find the user eve: not in /etc/passwd"),
        ("# no", "find the user # no: not in /etc/passwd"),
        ("big", "find the user big: not in /etc/passwd"),
        ("nonsense", "find the user nonsense: not in /etc/passwd"),
        ("ann:eve", "find the group eve: not in /etc/group"),
        ("1:nonsense", "find the group nonsense: not in /etc/group"),
        ("far", "--uid-map"),
        ("99999:0", "--uid-map"),
        ("ann:99999", "--uid-map"),
    ] {
        let report = image.run(&["--user", user], "true");
        assert_eq!(report.status, 125, "{user}: {}", report.stderr);
        assert!(report.stderr.contains(said), "{user}: {}", report.stderr);
        assert!(report.stderr.contains("\n  try: "), "{}", report.stderr);
    }
    let control = image.run(&["--user", "ann:audio"], "true");
    assert_eq!(control.status, 0, "the control: {}", control.stderr);
    // A group beside that is not mapped.
    image.write("group", "map:x:99999:ann\n");
    let report = image.run(&["--user", "ann"], "true");
    assert!(report.stderr.contains("[99999]"), "{}", report.stderr);
}

#[test]
fn what_is_no_plain_file_of_the_images_is_not_read() {
    let _machine = Machine::new();
    let image = Image::new();
    let machine = image.folder.join("machine");
    fs::write(&machine, "ann:x:7:7::/machine:\n").expect("write a file");
    let passwd = image.path("passwd");
    let replace = |by: &dyn Fn()| {
        fs::remove_file(&passwd).expect("remove it");
        by();
        image.run(&["--user", "ann"], "grep Uid: /proc/self/status")
    };
    for (text, said) in [
        (String::new(), "not in /etc/passwd"),
        (PASSWD.repeat(8000), "larger than 1048576 bytes"),
        ("x".repeat(70_000) + "\n", "not in /etc/passwd"),
    ] {
        let report = replace(&|| fs::write(&passwd, &text).expect("write"));
        assert_eq!(report.status, 125);
        assert!(report.stderr.contains(said), "{}", report.stderr);
    }
    // A link leads where it would lead inside, and never out.
    for (target, said) in [
        (&*machine, "not in /etc/passwd"),
        ("/proc/self/fd/0".as_ref(), "Too many symbolic links"),
        ("/dev/zero".as_ref(), "no plain file"),
        ("/etc".as_ref(), "no plain file"),
    ] {
        let report = replace(&|| symlink(target, &passwd).expect("link"));
        assert_eq!(report.status, 125, "{}", target.display());
        assert!(report.stderr.contains(said), "{}", report.stderr);
        // In numbers nothing has to be read, and a home is no condition.
        let numbers = image.who(&["--user", "5:6"]);
        assert_eq!(numbers, "5 6 Groups: / unset");
    }
    fs::write(image.path("people"), PASSWD).expect("write a file");
    let inner =
        replace(&|| symlink("../../etc/people", &passwd).expect("link"));
    assert_eq!(inner.status, 0, "the control: {}", inner.stderr);
}

#[test]
fn what_means_nothing_is_refused_before_anything_is_made() {
    for wrong in
        ["", ":", "1:", ":1", "ann:", "a:b:c", "4294967295", "1:4294967296"]
    {
        let report = run(STEP10, &["--user", wrong, "true"]);
        assert_eq!(report.status, 2, "{wrong}: {}", report.stderr);
        assert!(report.stderr.contains("--user"), "{}", report.stderr);
    }
}

#[test]
fn root_of_one_has_no_other_groups() {
    let _machine = Machine::new();
    let image = Image::new();
    image.write("group", "audio:x:29:root\n");
    let map = ["--uid-map", "0:100000:1", "--gid-map", "0:100000:1"];
    let root = image.folder.text("root");
    let flags = ["-q", "--network", "none", "--image", &root];
    let run = |user: &[&str]| {
        run(STEP10, &[&flags, &map[..], user, &["--", "id", "-u"]].concat())
    };
    let report = run(&["--user", "root"]);
    assert!(report.stderr.contains("[29]"), "{}", report.stderr);
    assert_eq!(run(&["--user", "root:0"]).stdout, "0\n");
    assert_eq!(run(&[]).stdout, "0\n", "the control");
}

#[test]
fn any_user_opens_the_streams_and_a_small_limit_is_no_obstacle() {
    let _machine = Machine::new();
    let image = Image::new();
    let folder = Folder::new();
    let (root, file) = (image.folder.text("root"), folder.text("f"));
    let write = |flags: &[&str], script: &str| {
        let line = "umask 077; f=$0; \"$@\" >>$f";
        let image = ["-q", "--network", "none", "--image", &root];
        let map = ["--uid-map", "0:100000:65536"];
        let command = ["--", "sh", "-c", script];
        let own = ["-c", line, &*file, STEP10];
        let all = [&own[..], &image, &map[..], flags, &command].concat();
        run("sh", &all).status
    };
    let map = ["--gid-map", "0:100000:65536"];
    for user in ["root", "ann", "77"] {
        let flags = [&map[..], &["--user", user]].concat();
        assert_eq!(write(&flags, "echo $0 >/dev/stdout"), 0, "{user}");
    }
    let small = [&map[..], &["--rlimit", "nofile=4"]].concat();
    assert_eq!(write(&small, "echo small"), 0);
    assert_ne!(write(&small, "echo >/dev/stdout"), 0, "the control");
    let written = fs::read_to_string(&file).expect("read it");
    assert_eq!(written, "sh\nsh\nsh\nsmall\n");
}
