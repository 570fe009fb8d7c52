//! Namespaces: whose, and shared with whom.

use crate::lab::{
    blind, boxed, bubblewrap, copy_busybox, is_root, peek, peek_as_nobody,
    report, row,
};
use witness::namespace;

#[test]
fn each_namespace_is_told_from_the_machines() {
    if !is_root() {
        return;
    }
    let control = boxed(&["env"]);
    assert_eq!(blind(&report(control.pid)), [""; 0]);
    let kinds = [
        ("--unshare-uts", "hostname"),
        ("--unshare-pid", "processes"),
        ("--unshare-net", "network"),
        ("--unshare-user", "users"),
        ("--unshare-ipc", "ipc"),
        ("--unshare-cgroup", "cgroups"),
    ];
    for (flag, subject) in kinds {
        let there = boxed(&bubblewrap(&[flag]));
        let report = report(there.pid);
        let mut found = blind(&report);
        found.retain(|found| *found != "files"); // always its own
        assert_eq!(found, [subject], "{report:#}");
        let row = row(&report, "blindfolds", subject);
        let kind = row["facts"]["namespace"].as_str().expect("a kind");
        let number = &row["facts"]["number"];
        assert_eq!(namespace(there.pid, kind), format!("{kind}:[{number}]"));
    }
}

#[test]
fn it_says_who_else_is_in_there() {
    if !is_root() {
        return;
    }
    let script = "sleep 1000 & cat; kill $!";
    let mut command = bubblewrap(&["--unshare-all", "sh", "-c", script]);
    command.insert(1, "--die-with-parent");
    let there = crate::lab::running(&command, "cat");
    let report = report(there.pid);
    let row = row(&report, "blindfolds", "network");
    // bubblewrap's own PID 1, the shell and sleep.
    assert_eq!(row["facts"]["shared_with"], 3, "{report:#}");
    let text = row["text"].as_str().expect("text");
    for name in ["bwrap", "sh", "sleep"] {
        assert!(text.contains(name), "{text}");
    }
    let maker = report["maker"].as_str().expect("a maker");
    assert!(maker.starts_with("bwrap ("), "{maker}");
}

#[test]
fn details_are_those_of_the_process() {
    if !is_root() {
        return;
    }
    let flags = ["--unshare-all", "--uid", "7"];
    let there = boxed(&bubblewrap(&flags));
    let page = peek(&[&there.pid.to_string()]);
    let status = witness::process::status(there.pid, "NSpid");
    let status = status.expect("NSpid");
    let inside = status.split_whitespace().last().expect("a number");
    assert!(page.contains(&format!("PID {inside} inside")), "{page}");
    for wanted in ["; lo\n", "read-only", "uid 0 outside", "of 1\n"] {
        assert!(page.contains(wanted), "{wanted:?}: {page}");
    }
}

#[test]
fn somebody_elses_process_is_shown_as_far_as_the_kernel_lets() {
    if !is_root() {
        return;
    }
    let there = boxed(&bubblewrap(&["--unshare-all"]));
    let page = peek_as_nobody(&[&there.pid.to_string()]);
    assert!(page.contains("?      network   not readable without"), "{page}");
    // What the kernel tells any user.
    for subject in ["processes", "files    ", "users    "] {
        let wanted = format!("blind  {subject} its own");
        assert!(page.contains(&wanted), "{page}");
    }
    let control = boxed(&["env"]);
    let page = peek_as_nobody(&[&control.pid.to_string()]);
    assert!(page.contains("SEES   processes the machine's"), "{page}");
    assert!(page.contains("FREE   syscalls"), "{page}");
}

/// It sees the machine's mounts, from a corner.
#[test]
fn chroot_is_no_namespace() {
    if !is_root() {
        return;
    }
    let folder = witness::Folder::new();
    copy_busybox(&folder.join("cat"));
    let path = folder.path().to_str().expect("a path");
    let there = crate::lab::running(&["chroot", path, "/cat"], "cat");
    let found = report(there.pid);
    assert_eq!(blind(&found), [""; 0]);
    let files = row(&found, "blindfolds", "files")["text"].to_string();
    assert!(files.contains("(chroot)") && files.contains(path), "{files}");
}
