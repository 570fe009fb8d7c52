//! What is shown of the machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;
use witness::{Covers, mount_at};

use crate::bundle::Bundle;

const NONE: Option<&str> = None;

fn tmpfs(path: &str) {
    let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
    mount(kind, path, kind, flags, NONE).expect("mount a tmpfs");
}

fn tie(path: &str, flags: MsFlags) {
    mount(NONE, path, NONE, flags, NONE).expect("set its propagation");
}

/// A folder of the machine in which something is mounted, `sub`.
fn nested(bundle: &Bundle) -> String {
    let data = bundle.machines("data");
    let sub = format!("{data}/sub");
    fs::create_dir(&sub).expect("make a folder");
    tmpfs(&sub);
    fs::write(format!("{sub}/below"), "").expect("make a file");
    data
}

#[test]
fn read_only_is_for_one_mount_or_for_all_below() {
    let mut bundle = Bundle::new();
    let _covers = Covers::new();
    let data = nested(&bundle);
    for (number, options) in
        ["bind", "rbind,ro", "rbind,rro"].into_iter().enumerate()
    {
        bundle.mount(&format!("/{number}"), "", &data, options);
    }
    let script = "for it in 0 1 2; do ls /$it/sub; \
         for place in $it $it/sub; do \
         touch /$place/new 2>/dev/null && echo wrote $place; done; done; :";
    let lines = ["wrote 0", "wrote 0/sub", "below", "wrote 1/sub", "below"];
    assert_eq!(bundle.lines(script)[..4], lines[..4]);
    assert!(!bundle.path("data/sub/new-2").exists());
    let last = bundle.lines("touch /2/sub/x 2>/dev/null || echo no");
    assert_eq!(last, ["no"]);
}

#[test]
fn flags_that_are_not_named_stay() {
    let mut bundle = Bundle::new();
    let _covers = Covers::new();
    let data = bundle.machines("data");
    let (kind, flags) = (Some("tmpfs"), MsFlags::MS_NOEXEC);
    mount(kind, &*data, kind, flags, NONE).expect("mount a tmpfs");
    bundle.mount("/kept", "none", &data, "bind,nosuid");
    bundle.mount("/off", "none", &data, "bind,exec,rw,suid");
    assert!(bundle.mounted("/kept").starts_with("rw,nosuid,noexec,relatime"));
    assert!(bundle.mounted("/off").starts_with("rw,relatime"));
}

#[test]
fn a_source_that_is_missing_is_named() {
    let mut bundle = Bundle::new();
    bundle.mount("/x", "bind", "/no/such/folder", "rbind");
    let error = bundle.error();
    assert!(error.contains("no such file or directory"), "{error}");
    assert!(error.contains("\"/no/such/folder\" on \"/x\""), "{error}");
    // From the bundle on; and a type alone is enough.
    bundle = bundle.another();
    bundle.machines("data");
    bundle.mount("/x", "bind", "data/file", "ro");
    assert_eq!(bundle.lines("cat /x"), ["machine's"]);
}

#[test]
fn a_folder_goes_on_a_folder_only() {
    let mut bundle = Bundle::new();
    let data = bundle.machines("data");
    fs::write(bundle.root("file"), "").expect("make a file");
    bundle.mount("/file", "", &data, "bind");
    let error = bundle.error();
    assert!(error.contains("not a directory"), "{error}");
    bundle = bundle.another();
    let data = bundle.machines("data");
    bundle.mount("/etc", "", &format!("{data}/file"), "bind");
    assert!(bundle.error().contains("not a directory"));
}

#[test]
fn what_the_container_mounts_comes_out_only_if_that_is_asked_for() {
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    for (root, options, comes_out) in [
        (None, "rbind", false),
        (None, "rbind,rslave", false),
        (None, "rbind,rprivate", false),
        (Some("rslave"), "rbind", false),
        (Some("rshared"), "rbind,rprivate", false),
        (Some("rshared"), "rbind,rshared", true),
    ] {
        let mut bundle = Bundle::new();
        let _covers = Covers::new();
        let data = bundle.machines("data");
        fs::create_dir(bundle.path("data/sub")).expect("make a folder");
        tmpfs(&data);
        fs::create_dir(bundle.path("data/sub")).expect("make a folder");
        tie(&data, shared);
        if let Some(root) = root {
            bundle.config["linux"]["rootfsPropagation"] = json!(root);
        }
        bundle.mount("/data", "", &data, options);
        bundle.lines("mount -t tmpfs tmpfs /data/sub");
        let own = "thread-self";
        let sub = format!("{data}/sub");
        let came = mount_at(own, &sub).is_some();
        assert_eq!(came, comes_out, "{root:?} {options}");
        if came {
            umount2(&*sub, MntFlags::MNT_DETACH).expect("unmount it");
        }
        umount2(&*data, MntFlags::MNT_DETACH).expect("unmount it");
    }
}

#[test]
fn a_bind_has_the_propagation_that_is_asked_for() {
    for (options, is_slave, is_shared) in [
        ("bind", true, false),
        ("bind,rprivate", false, false),
        ("rbind,slave", true, false),
        ("bind,shared", true, true),
        ("bind,unbindable", false, false),
    ] {
        let mut bundle = Bundle::new();
        let _covers = Covers::new();
        let data = bundle.machines("data");
        tmpfs(&data);
        tie(&data, MsFlags::MS_SHARED);
        bundle.mount("/data", "", &data, options);
        let line = bundle.mounted("/data");
        assert_eq!(line.contains("master:"), is_slave, "{options}: {line}");
        assert_eq!(line.contains("shared:"), is_shared, "{options}: {line}");
        umount2(&*data, MntFlags::MNT_DETACH).expect("unmount it");
    }
}

/// Where the filesystem of the temporary folder can do that at all.
#[test]
fn other_owners_are_shown_than_those_on_the_disk() {
    let map = json!([{ "containerID": 0, "hostID": 5000, "size": 10 }]);
    let mut bundle = Bundle::new();
    let data = bundle.machines("data");
    bundle.mount("/data", "", &data, "bind,ridmap");
    bundle.config["mounts"][3]["uidMappings"] = map.clone();
    let error = bundle.error();
    assert!(error.contains("uidMappings and gidMappings"), "{error}");
    bundle.config["mounts"][3]["gidMappings"] = map;
    let report = bundle.run("stat -c %u:%g /data/file");
    if !report.stderr.contains("not every filesystem can") {
        assert_eq!(report.stdout, "5000:5000\n", "{}", report.stderr);
    }
    bundle = bundle.another();
    bundle.mount("/data", "", &data, "bind,idmap");
    let error = bundle.error();
    assert!(error.contains("or a user namespace"), "{error}");
}

#[test]
fn a_user_namespace_gets_what_only_the_launcher_can_reach() {
    let mut bundle = Bundle::new();
    let data = bundle.machines("closed/data");
    let closed = bundle.path("closed");
    fs::set_permissions(closed, Permissions::from_mode(0o700)).expect("close");
    bundle.map_users();
    fs::create_dir(bundle.root("data")).expect("make a folder");
    bundle.mount("/data", "", &data, "rbind,ro");
    let script = "cat /data/file; id -u; cat /proc/self/uid_map; \
         head -c 1 /dev/zero | wc -c; echo x >/dev/null";
    let lines = bundle.lines(script);
    assert_eq!(lines[..2], ["machine's", "0"]);
    assert!(lines[2].contains("100000"), "{lines:?}");
    assert_eq!(lines[3].trim(), "1");
}
