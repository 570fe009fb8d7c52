//! What is covered, what cannot be written to, and what is set.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::bundle::Bundle;

#[test]
fn masked_paths_show_nothing_and_read_only_ones_cannot_be_changed() {
    let mut bundle = Bundle::new();
    for path in ["secret/deep", "fixed/deep"] {
        fs::create_dir_all(bundle.root(path)).expect("make a folder");
        fs::write(bundle.root(path).join("file"), "x\n").expect("make a file");
    }
    fs::write(bundle.root("alone"), "x\n").expect("make a file");
    symlink("alone", bundle.root("link")).expect("make a link");
    bundle.config["linux"]["maskedPaths"] =
        json!(["/secret", "/link", "/proc/uptime", "/not/there"]);
    bundle.config["linux"]["readonlyPaths"] =
        json!(["/fixed", "/proc/sys", "fixed/deep", "/not/there"]);
    let script = "ls /secret; cat /alone /proc/uptime /fixed/deep/file; \
         for it in /secret/x /fixed/x /fixed/deep/file /proc/sys/vm/swappiness; \
         do (echo 1 >$it) 2>/dev/null && echo wrote $it; done; \
         (echo x >/alone) && echo it goes to /dev/null";
    assert_eq!(bundle.lines(script), ["x", "it goes to /dev/null"]);
    let alone = fs::read_to_string(bundle.root("alone")).expect("read");
    assert_eq!(alone, "x\n");
}

/// Otherwise a secret would be covered with whatever the image has of that
/// name, and the image could show another one (CVE-2025-31133).
#[test]
fn what_covers_is_the_machines_dev_null() {
    let mut bundle = Bundle::new();
    bundle.config["mounts"].as_array_mut().expect("a list").remove(1);
    fs::remove_dir_all(bundle.root("dev")).expect("take it away");
    fs::create_dir(bundle.root("dev")).expect("make a folder");
    fs::write(bundle.root("trap"), "trap\n").expect("make a file");
    fs::write(bundle.root("secret"), "secret\n").expect("make a file");
    let path = bundle.root("trap").display().to_string();
    bundle.mount("/dev/null", "", &path, "bind");
    let error = bundle.error();
    assert!(error.contains("is not the device"), "{error}");
    // The control.
    bundle.config["mounts"].as_array_mut().expect("a list").pop();
    fs::remove_file(bundle.root("dev/null")).expect("what it lay on");
    bundle.config["linux"]["maskedPaths"] = json!(["/secret"]);
    assert_eq!(bundle.lines("cat /secret; echo end"), ["end"]);
}

#[test]
fn a_mask_that_would_be_left_out_is_an_error() {
    for (path, why) in [
        ("secret", "must be an absolute path"),
        ("/loop", "too many symbolic links"),
        ("/proc/self/exe", "too many symbolic links"),
        ("/etc/passwd/x", "not a directory"),
    ] {
        let mut bundle = Bundle::new();
        symlink("loop", bundle.root("loop")).expect("make a link");
        fs::write(bundle.root("etc/passwd"), "").expect("make a file");
        bundle.config["linux"]["maskedPaths"] = json!([path]);
        let error = bundle.error();
        assert!(error.contains(why) && error.contains(path), "{error}");
    }
}

#[test]
fn sysctl_is_for_what_the_container_has_for_itself() {
    let mut bundle = Bundle::new();
    let ours = fs::read_to_string("/proc/sys/kernel/shmmni").expect("read");
    bundle.config["linux"]["sysctl"] = json!({
        "kernel.shmmni": "77",
        "net/ipv4/ip_forward": "1",
        "net.ipv4.conf.lo.rp_filter": "2",
    });
    bundle.config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
    let script = "cd /proc/sys; cat kernel/shmmni net/ipv4/ip_forward \
         net/ipv4/conf/lo/rp_filter";
    assert_eq!(bundle.lines(script), ["77", "1", "2"]);
    let now = fs::read_to_string("/proc/sys/kernel/shmmni").expect("read");
    assert_eq!(now, ours, "the machine's is as it was");
    for (name, why) in [
        ("kernel.core_pattern", "not in a separate kernel namespace"),
        ("vm.swappiness", "not in a separate kernel namespace"),
        ("kernel.hostname", "conflicts with the field hostname"),
        ("net.ipv4.no_such_file", "no such file"),
    ] {
        bundle.config["linux"]["sysctl"] = json!({ name: "1" });
        let error = bundle.error();
        assert!(error.contains(why) && error.contains(name), "{error}");
    }
    let kinds = [json!({ "type": "mount" }), json!({ "type": "pid" })];
    bundle.config["linux"]["namespaces"] = json!(kinds);
    bundle.config["linux"]["sysctl"] = json!({ "kernel.shmmni": "77" });
    assert!(bundle.error().contains("host's ipc namespace"));
}
