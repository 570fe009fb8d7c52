//! `--all`: the tree of processes that live apart.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::lab::{
    Box, boxed, bubblewrap, is_root, peek, peek_as_nobody, running,
};

fn tree() -> Value {
    serde_json::from_str(&peek(&["--all", "--json"])).expect("JSON")
}

/// The group of a process, and its depth in the tree.
fn group_of(groups: &Value, pid: i32, depth: u32) -> Option<(Value, u32)> {
    groups.as_array()?.iter().find_map(|group| {
        let members = group["processes"].as_array()?;
        if members.iter().any(|member| member["pid"] == pid) {
            return Some((group.clone(), depth));
        }
        group_of(&group["within"], pid, depth + 1)
    })
}

#[test]
fn who_lives_apart_is_listed_and_nobody_else() {
    if !is_root() {
        return;
    }
    let there = boxed(&bubblewrap(&["--unshare-ipc"]));
    let control = boxed(&["env"]);
    let tree = tree();
    let found = group_of(&tree["apart"], there.pid, 0);
    let (group, _) = found.unwrap_or_else(|| panic!("{tree:#}"));
    assert_eq!(group["blind"], serde_json::json!(["files", "ipc"]));
    assert!(group_of(&tree["apart"], control.pid, 0).is_none(), "{tree:#}");
    let page = peek(&["--all"]);
    assert!(page.contains("blind: files, ipc\n"), "{page}");
    assert!(page.contains(", by bwrap ("), "{page}");
}

#[test]
fn a_box_in_a_box_hangs_below_it() {
    if !is_root() {
        return;
    }
    let script = "unshare --uts cat; :";
    let there = running(&["unshare", "--ipc", "sh", "-c", script], "cat");
    let tree = tree();
    let (group, depth) =
        group_of(&tree["apart"], there.pid, 0).expect("the inner one");
    assert_eq!(depth, 1, "{tree:#}");
    assert_eq!(group["blind"], serde_json::json!(["hostname", "ipc"]));
}

#[test]
fn without_root_it_tells_what_it_knows() {
    if !is_root() {
        return;
    }
    let there: Box = boxed(&bubblewrap(&["--unshare-pid"]));
    let page = peek_as_nobody(&["--all"]);
    // Whoever else lives apart in the same way shares the line, and breaks it.
    let words: Vec<&str> = page.split_whitespace().collect();
    let page = words.join(" ");
    assert!(page.contains("not readable without root: "), "{page}");
    assert!(page.contains(&format!("{} cat", there.pid)), "{page}");
    assert!(page.contains("blind: processes, files"), "{page}");
}

/// Processes that come and go in the meantime do no harm.
#[test]
fn it_does_not_mind_a_crowd() {
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let crowd = std::thread::spawn(|| {
        while !ENOUGH.load(Ordering::Relaxed) {
            let many = (0..4).map(|_| {
                let mut command = witness::command("true");
                command.stdin(Stdio::null()).spawn().expect("start true")
            });
            for mut child in many.collect::<Vec<Child>>() {
                child.wait().expect("take it away");
            }
        }
    });
    for _ in 0..5 {
        peek(&["--all"]);
        peek(&["--all", "--json"]);
    }
    ENOUGH.store(true, Ordering::Relaxed);
    crowd.join().expect("the crowd");
}
