//! What a process cannot ask for: capabilities, no_new_privs, system calls.

use serde_json::{Value, json};

use crate::lab::{boxed, is_root, peek, report, row};

fn gag(report: &Value, subject: &str) -> (Value, Value) {
    let row = row(report, "gags", subject);
    (row["mark"].clone(), row["facts"].clone())
}

#[test]
fn capabilities_have_names() {
    if !is_root() {
        return;
    }
    let few = ["--bounding-set", "-all,+chown,+net_raw", "--inh-caps", "-all"];
    let there = boxed(&[&["setpriv"], &few[..]].concat());
    let (mark, facts) = gag(&report(there.pid), "powers");
    assert_eq!(mark, "gagged");
    assert_eq!(facts["effective"], json!(["CHOWN", "NET_RAW"]));
    assert_eq!(facts["bounding"], json!(["CHOWN", "NET_RAW"]));
    let one = boxed(&["setpriv", "--bounding-set", "-all,+chown"]);
    let page = peek(&[&one.pid.to_string()]);
    assert!(page.contains("1 capability: CHOWN"), "{page}");
    // The control: the same without it.
    let control = boxed(&["env"]);
    let (_, facts) = gag(&report(control.pid), "powers");
    let held = facts["effective"].as_array().expect("names");
    assert!(held.contains(&json!("SYS_ADMIN")), "{facts}");
}

#[test]
fn powers_that_are_only_its_own_are_told_apart() {
    if !is_root() {
        return;
    }
    let there = boxed(&["unshare", "--user", "--map-root-user"]);
    let page = peek(&[&there.pid.to_string()]);
    assert!(page.contains("FREE   powers"), "{page}");
    assert!(page.contains("over what is its own"), "{page}");
    let control = boxed(&["env"]);
    let page = peek(&[&control.pid.to_string()]);
    assert!(!page.contains("over what is its own"), "{page}");
}

#[test]
fn no_new_privs_shows() {
    let there = boxed(&["setpriv", "--no-new-privs"]);
    let (mark, facts) = gag(&report(there.pid), "new privs");
    assert_eq!(
        (mark, &facts["no_new_privs"]),
        (json!("gagged"), &json!(true))
    );
    let control = boxed(&["env"]);
    let (mark, facts) = gag(&report(control.pid), "new privs");
    assert_eq!((mark, &facts["no_new_privs"]), (json!("free"), &json!(false)));
}

#[test]
fn filters_are_counted() {
    if !is_root() {
        return;
    }
    // The program of one instruction that allows everything, in bubblewrap's
    // own format: RET (0x06), ALLOW (0x7fff0000), in this machine's order.
    let allow = "printf '\\006\\0\\0\\0\\0\\0\\377\\177' | bwrap --seccomp 0 \
        --ro-bind / / sh -c 'exec sleep 1000' & wait $!";
    if cfg!(target_endian = "big") {
        return;
    }
    let there = crate::lab::running(&["sh", "-c", allow], "sleep");
    let (mark, facts) = gag(&report(there.pid), "syscalls");
    assert_eq!(mark, "gagged");
    assert_eq!(facts, json!({ "mode": 2, "filters": 1 }));
    drop(there);
    let control = boxed(&["env"]);
    let (mark, facts) = gag(&report(control.pid), "syscalls");
    assert_eq!((mark, &facts["filters"]), (json!("free"), &json!(0)));
}
