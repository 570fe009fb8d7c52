//! New filesystems, and where they go.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;
use witness::Folder;

use crate::bundle::Bundle;

#[test]
fn mounts_are_made_in_order_and_listed_in_order() {
    let mut bundle = Bundle::new();
    let data = bundle.machines("data");
    bundle.mount("/a", "tmpfs", "tmpfs", "noexec");
    bundle.mount("/a/b", "", &data, "bind");
    bundle.mount("/a/b/../c", "tmpfs", "one", "nodev");
    bundle.mount("relative", "tmpfs", "two", "");
    let script = "cut -d' ' -f5 /proc/self/mountinfo";
    let points = ["/", "/proc", "/dev", "/sys", "/a", "/a/b", "/a/c"];
    let lines = bundle.lines(script);
    assert_eq!(lines[..7], points);
    assert_eq!(lines[7], "/relative");
}

#[test]
fn flags_and_the_filesystems_own_options_are_told_apart() {
    let mut bundle = Bundle::new();
    let options =
        "ro,nosuid,nodev,noexec,noatime,nosymfollow,mode=711,size=4k";
    bundle.mount("/t", "tmpfs", "word", options);
    let flags = "ro,nosuid,nodev,noexec,noatime,nosymfollow - tmpfs word rw,";
    let line = bundle.mounted("/t");
    assert!(line.starts_with(flags), "{line}");
    assert!(line.contains("size=4k,") && line.contains("mode=711"), "{line}");
    // Several words in one text, and the later one counts.
    bundle = bundle.another();
    bundle.config["mounts"][1]["options"] = json!(["ro,size=4k,rw", "nosuid"]);
    let line = bundle.mounted("/dev");
    assert!(line.starts_with("rw,nosuid,relatime - tmpfs"), "{line}");
}

/// fsconfig(2) takes 255 bytes, and an overlay of many layers has more.
#[test]
fn an_option_may_be_a_long_one() {
    let mut bundle = Bundle::new();
    let names = ["a", "b", "c"].map(|name| name.repeat(120));
    let lowers = names.each_ref().map(|name| bundle.machines(name));
    fs::write(bundle.path(&names[2]).join("last"), "").expect("make a file");
    let options = format!("nodev,ro,lowerdir={}", lowers.join(":"));
    bundle.mount("/o", "overlay", "overlay", &options);
    assert_eq!(bundle.lines("ls /o"), ["file", "last"]);
    let line = bundle.mounted("/o");
    assert!(line.starts_with("ro,nodev,relatime - overlay"), "{line}");
    assert_eq!(bundle.lines("mount | grep -c overlay"), ["1"], "/tmp is free");
}

#[test]
fn what_the_kernel_does_not_know_is_an_error_with_its_name() {
    for (kind, options, why) in [
        ("tmpfs", "nosuid,wrong=1", "Unknown parameter 'wrong'"),
        ("no-such-kind", "", "no such device"),
        ("", "", "its type must be specified"),
        ("tmpfs", "idmap", "only a bind mount can have other owners"),
        ("proc", "tmpcopyup", "only a tmpfs can begin with what it covers"),
        ("bind", "", "a bind mount needs a source"),
    ] {
        let mut bundle = Bundle::new();
        bundle.mount("/t", kind, "", options);
        let error = bundle.error();
        assert!(error.contains(why), "{error}");
        let name = format!("on \"/t\" (type {kind:?}, options {options})");
        assert!(error.contains(&name), "{error}");
    }
}

#[test]
fn a_tmpfs_has_the_mode_of_what_it_covers() {
    let mut bundle = Bundle::new();
    let folder = bundle.root("covered");
    fs::create_dir(&folder).expect("make a folder");
    fs::set_permissions(&folder, Permissions::from_mode(0o1750))
        .expect("set its mode");
    bundle.mount("/covered", "tmpfs", "tmpfs", "");
    bundle.mount("/asked", "tmpfs", "tmpfs", "mode=700");
    bundle.mount("/new", "tmpfs", "tmpfs", "");
    let modes = bundle.lines("stat -c %a /covered /asked /new");
    assert_eq!(modes, ["1750", "700", "1777"]);
}

#[test]
fn a_tmpfs_that_is_read_only_can_be_filled_before() {
    let mut bundle = Bundle::new();
    let data = bundle.machines("data");
    bundle.mount("/t", "tmpfs", "tmpfs", "ro");
    bundle.mount("/t/sub", "", &data, "bind");
    bundle.config["mounts"][1]["options"] = json!(["ro", "mode=755"]);
    let script = "cat /t/sub/file; echo x >/t/x || echo x >/dev/x || ls /dev";
    let report = bundle.run(script);
    assert!(report.stdout.starts_with("machine's\n"), "{}", report.stdout);
    assert!(report.stdout.contains("urandom"), "{}", report.stdout);
    assert_eq!(report.stderr.matches("ead-only").count(), 2);
}

#[test]
fn a_tmpfs_can_begin_with_what_it_covers() {
    let mut bundle = Bundle::new();
    fs::create_dir_all(bundle.root("v/deep")).expect("make a folder");
    fs::write(bundle.root("v/deep/file"), "image's\n").expect("make a file");
    symlink("/etc/shadow", bundle.root("v/link")).expect("make a link");
    bundle.mount("/v", "tmpfs", "tmpfs", "tmpcopyup");
    let script = "cat /v/deep/file; readlink /v/link; echo x >/v/deep/file";
    assert_eq!(bundle.lines(script), ["image's", "/etc/shadow"]);
    let text = fs::read_to_string(bundle.root("v/deep/file")).expect("read");
    assert_eq!(text, "image's\n", "the copy was written to");
}

#[test]
fn no_link_of_the_image_leads_out() {
    let mut bundle = Bundle::new();
    let outside = bundle.machines("outside");
    symlink(&outside, bundle.root("link")).expect("make a link");
    symlink("../../../../../..", bundle.root("up")).expect("make a link");
    bundle.mount("/link/made", "tmpfs", "tmpfs", "");
    bundle.mount("/up/top", "tmpfs", "tmpfs", "");
    let script = format!("stat -f -c %T {outside}/made /top /");
    let kinds = bundle.lines(&script);
    assert_eq!(kinds[..2], ["tmpfs", "tmpfs"]);
    assert!(!bundle.path("outside/made").exists());
}

#[test]
fn proc_and_sys_go_where_no_link_leads() {
    for name in ["proc", "sys"] {
        let mut bundle = Bundle::new();
        let path = bundle.root(name);
        fs::remove_dir(&path).expect("take it away");
        symlink("etc", &path).expect("make a link");
        let error = bundle.error();
        let why = "must be mounted on ordinary directory";
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn over_proc_goes_only_what_lxcfs_shows() {
    let mut bundle = Bundle::new();
    let machines = Folder::new();
    let folder = machines.path().display().to_string();
    let file = format!("{folder}/file");
    fs::write(&file, "machine's\n").expect("make a file");
    bundle.mount("/proc/uptime", "", &file, "bind");
    assert_eq!(bundle.lines("cat /proc/uptime"), ["machine's"]);
    for (to, from) in [
        ("/proc/version", file.as_str()),
        ("/proc/self/attr/exec", &file),
        ("/etc/../proc/sys/kernel/core_pattern", &file),
        ("/link/version", &file),
        ("/proc", &folder),
        ("/", &folder),
        ("/link/..", &folder),
    ] {
        bundle = bundle.another();
        symlink("proc", bundle.root("link")).expect("make a link");
        bundle.mount(to, "", from, "bind");
        let error = bundle.error();
        let why = ["inside /proc", "/proc is for", "the root itself"];
        let is_said = why.iter().any(|why| error.contains(why));
        assert!(is_said, "{to}: {error}");
    }
}

#[test]
fn what_is_mounted_can_be_changed_by_a_later_line() {
    let mut bundle = Bundle::new();
    bundle.mount("/t", "tmpfs", "tmpfs", "");
    bundle.mount("/t", "", "", "remount,ro,nodev,size=8k");
    let line = bundle.mounted("/t");
    assert!(line.starts_with("ro,nodev,relatime"), "{line}");
    assert!(line.contains("size=8k"), "{line}");
}

/// Whoever mounts cgroup2 in the machine's cgroup namespace sets the machine's
/// own options, and a mount that names none takes them off.
#[test]
#[ignore = "needs cgroup v2: scripts/test runs it in the VM"]
fn the_machines_groups_keep_their_options() {
    const TREE: &str = "/sys/fs/cgroup";
    let options = || {
        let table = fs::read_to_string("/proc/self/mountinfo").expect("read");
        let line = table.lines().find(|line| line.contains(" - cgroup2 "));
        let line = line.expect("a tree of groups").to_owned();
        line.rsplit(' ').next().expect("its last word").to_owned()
    };
    let set = |words: &str| {
        let flags = nix::mount::MsFlags::MS_REMOUNT;
        let (none, words) = (None::<&str>, Some(words));
        nix::mount::mount(none, TREE, none, flags, words).expect("set them");
    };
    let before = options();
    set("nsdelegate");
    let with = options();
    let mut bundle = Bundle::new();
    bundle.mount(TREE, "cgroup", "cgroup", "ro");
    let listed = bundle.lines("ls -d /sys/fs/cgroup/cgroup.controllers");
    let kept = options();
    // The control: they can be taken off.
    set("");
    let without = options();
    let words = before.split(',').filter(|word| *word != "rw");
    set(&words.collect::<Vec<_>>().join(","));
    assert_eq!(listed.len(), 1);
    assert!(with.contains("nsdelegate"), "{with}");
    assert_eq!(kept, with);
    assert!(!without.contains("nsdelegate"), "{without}");
    assert_eq!(options(), before);
}
