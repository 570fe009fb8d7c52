//! The folder that becomes `/`.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::bundle::Bundle;

#[test]
fn root_is_a_folder_that_no_link_leads_to() {
    let mut bundle = Bundle::new();
    symlink("rootfs", bundle.path("link")).expect("make a link");
    symlink("/", bundle.path("top")).expect("make a link");
    fs::write(bundle.path("file"), "").expect("make a file");
    let whole = bundle.root("").display().to_string();
    for path in ["rootfs", "./rootfs/../rootfs/", &whole] {
        bundle.config["root"]["path"] = json!(path);
        assert_eq!(bundle.lines("echo it runs"), ["it runs"], "{path}");
    }
    for (path, why) in [
        ("link", "too many symbolic links"),
        ("top", "too many symbolic links"),
        ("nothing", "no such file or directory"),
        ("file", "not a directory"),
        ("", "it is empty"),
        ("/", "the machine's own root"),
    ] {
        bundle.config["root"]["path"] = json!(path);
        let error = bundle.error();
        assert!(error.contains("root.path"), "{error}");
        assert!(error.contains(why), "{path}: {error}");
    }
}

#[test]
fn a_root_that_is_read_only_can_be_filled_before() {
    let mut bundle = Bundle::new();
    bundle.config["root"]["readonly"] = json!(true);
    bundle.config["process"]["cwd"] = json!("/made/for/it");
    bundle.mount("/new/tmpfs", "tmpfs", "tmpfs", "");
    let script = "pwd; touch /new/tmpfs/x; touch /x 2>&1 | grep -c ead-only";
    assert_eq!(bundle.lines(script), ["/made/for/it", "1"]);
    bundle.config["root"]["readonly"] = json!(false);
    assert_eq!(bundle.lines("touch /x; ls /x"), ["/x"], "control");
}

#[test]
fn root_has_the_propagation_that_is_asked_for() {
    for (word, has) in [
        ("private", ""),
        ("slave", ""),
        ("shared", "shared:"),
        ("runbindable", "unbindable"),
    ] {
        let mut bundle = Bundle::new();
        bundle.config["linux"]["rootfsPropagation"] = json!(word);
        let line = bundle.mounted("/");
        let its = line.split(" - ").next().expect("a first half");
        let words = ["shared:", "unbindable"];
        for it in words {
            assert_eq!(its.contains(it), it == has, "{word}: {line}");
        }
    }
    let mut bundle = Bundle::new();
    bundle.config["linux"]["rootfsPropagation"] = json!("wrong");
    let error = bundle.error();
    assert!(error.contains("linux.rootfsPropagation"), "{error}");
}

/// As where `/` is the initramfs, which pivot_root(2) cannot exchange.
#[test]
fn without_the_pivot_the_machines_files_are_gone_as_well() {
    let mut bundle = Bundle::new();
    let outside = bundle.machines("outside") + "/file";
    bundle.flags.push("--no-pivot");
    let script =
        format!("ls {outside} 2>/dev/null || ls -d /proc/1 /dev/null");
    assert_eq!(bundle.lines(&script), ["/dev/null", "/proc/1"]);
    let procs = bundle.lines("grep -c ' - proc ' /proc/self/mountinfo");
    assert_eq!(procs, ["1"], "the machine's is gone");
}
