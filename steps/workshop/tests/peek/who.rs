//! Which process a number or a name means.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use witness::terminal::Terminal;
use witness::{Folder, eventually, process};

use crate::lab::{boxed, is_root, peek, running};

/// A copy of `cat` under a name that no other process has.
fn copy_of_cat(folder: &Folder, name: &str) -> String {
    let mut copy = witness::command("cp");
    copy.arg("/bin/cat").arg(folder.join(name));
    assert!(copy.status().expect("cp").success());
    folder.text(name)
}

fn whom(name: &str) -> Value {
    serde_json::from_str(&peek(&[name, "--json"])).expect("JSON")
}

#[test]
fn a_name_means_the_process_that_bears_it() {
    let folder = Folder::new();
    // Longer than the 15 bytes that the kernel keeps.
    let cat = copy_of_cat(&folder, "peeked-at-by-name");
    let first = running(&[&cat], "peeked-at-by-na");
    let report = whom("peeked-at-by-name");
    assert_eq!(report["pid"], first.pid);
    assert_eq!(report["others_of_this_name"], json!([]));
    let second = running(&[&cat], "peeked-at-by-na");
    let page = peek(&["peeked-at-by-name"]);
    let others = format!("Others of this name: {}", second.pid);
    assert!(page.contains(&others), "{page}");
    if !is_root() {
        return;
    }
    // The one that lives apart comes first.
    let third = running(&["unshare", "--uts", &cat], "peeked-at-by-na");
    assert_eq!(whom("peeked-at-by-name")["pid"], third.pid);
}

#[test]
fn a_name_means_a_container() {
    if !is_root() {
        return;
    }
    let there = boxed(&["env"]);
    let start = step07::start_time(there.pid as u32).expect("it runs");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let state = |start: u64, boot: &str| {
        let (pid, launcher) = (there.pid, std::process::id());
        json!({
            "name": "peeked-container", "command": ["cat"], "flags": [],
            "detached": true, "remove": false, "created": 0, "pid": pid,
            "start": start, "launcher": launcher, "boot": boot.trim(),
            "ended": null,
        })
    };
    let script = "mount -t tmpfs run /run; mkdir -p /run/workshop/$2; \
        echo \"$1\" >/run/workshop/$2/state.json; \
        exec \"$0\" peek peeked-container --json";
    let look = |name: &str, state: Value| {
        let mut command = witness::command("unshare");
        command.args(["--mount", "sh", "-ec", script]);
        command.arg(env!("CARGO_BIN_EXE_workshop"));
        command.args([&state.to_string(), name]);
        let output = command.output().expect("start the companion");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output, words)
    };
    let boot = boot.expect("the boot ID");
    let (output, words) = look("peeked-container", state(start, &boot));
    assert!(output.status.success(), "{words}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["pid"], there.pid);
    let (output, words) = look("another", state(start, &boot));
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("and no container"), "{words}");
    // The number is another process's by now, or the machine was restarted.
    for old in [state(start + 1, &boot), state(start, "an earlier one")] {
        let (output, words) = look("peeked-container", old);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains("does not run: lost"), "{words}");
    }
}

#[test]
fn a_name_means_a_container_of_step12() {
    if !is_root() {
        return;
    }
    let there = boxed(&["unshare", "--uts"]);
    let start = step07::start_time(there.pid as u32).expect("it runs");
    let boot = step11::state::boot().expect("the boot ID");
    let state = |start: u64| {
        let first = json!({ "pid": there.pid, "start": start, "boot": boot });
        json!({ "first": first, "cgroup": { "groups": {} } }).to_string()
    };
    let script = "mount -t tmpfs run /run; mkdir -p -m 700 /run/step12/boxed; \
        echo \"$1\" >/run/step12/boxed/state.json; \
        exec \"$0\" peek \"$2\" --json";
    let look = |state: &str, who: &str| {
        let mut command = witness::command("unshare");
        command.args(["--mount", "sh", "-ec", script]);
        command.args([env!("CARGO_BIN_EXE_workshop"), state, who]);
        let output = command.output().expect("start the companion");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice::<Value>(&output.stdout);
        (report.ok(), words)
    };
    let number = there.pid.to_string();
    for who in ["boxed", &number] {
        let (report, words) = look(&state(start), who);
        let report = report.expect(&words);
        assert_eq!(report["pid"], there.pid);
        assert_eq!(report["maker"], "step12 (boxed)");
    }
    // The number is another process's by now.
    let (report, words) = look(&state(start + 1), "boxed");
    assert!(report.is_none() && words.contains("does not run"), "{words}");
    let (report, words) = look(&state(start + 1), &number);
    let report = report.expect(&words);
    assert_ne!(report["maker"], "step12 (boxed)");
    let (report, words) = look(&state(start), "..");
    assert!(report.is_none() && words.contains("and no container"), "{words}");
}

#[test]
fn whoever_is_not_there_is_named() {
    for who in ["4194305", "nobody-bears-this", "../../etc", ""] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
        command.args(["peek", who]).env_remove("RUST_BACKTRACE");
        let output = command.output().expect("start the companion");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains("\n  try: "), "{words}");
        assert!(words.contains(who), "{words}");
    }
}

#[test]
fn a_process_that_has_ended_is_no_error() {
    let mut child = witness::command("true").spawn().expect("start true");
    let pid = child.id() as i32;
    eventually("it to end", || process::state(pid) == Some('Z'));
    let page = peek(&[&pid.to_string()]);
    assert!(page.contains("It has ended"), "{page}");
    child.wait().expect("take it away");
}

#[test]
fn names_cannot_play_with_the_terminal() {
    let folder = Folder::new();
    let name = "red\u{1b}[31m\nline";
    let cat = folder.join(name);
    assert!(
        witness::command("cp")
            .arg("/bin/cat")
            .arg(&cat)
            .status()
            .is_ok_and(|status| status.success())
    );
    let cat = cat.to_str().expect("text").to_owned();
    let there = running(&[&cat], name);
    // The lab looks for escapes in what is printed.
    let page = peek(&[&there.pid.to_string()]);
    assert!(page.contains(r"red\u{1b}[31m\nline"), "{page}");
    fs::remove_file(cat).expect("remove it");
}

#[test]
fn a_reader_in_a_container_is_told_so() {
    if !is_root() {
        return;
    }
    let mut command = witness::command("unshare");
    command.args(["--pid", "--fork", "--mount-proc"]);
    command.arg(env!("CARGO_BIN_EXE_workshop")).args(["peek", "1"]);
    let output = command.output().expect("start the companion");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.starts_with("(seen from inside a container"), "{page}");
    assert!(page.contains("SEES   processes the machine's"), "{page}");
}

#[test]
fn colour_is_for_terminals_and_can_be_refused() {
    let there = boxed(&["env"]);
    let companion = env!("CARGO_BIN_EXE_workshop");
    let on_a_terminal = |variable: Option<(&str, &str)>| {
        let mut command = Command::new(companion);
        command.args(["peek", &there.pid.to_string()]);
        // The terminal sets TERM: this comes after it.
        let mut shell = witness::command("env");
        let setting = variable.map(|(name, value)| format!("{name}={value}"));
        shell.args(setting).arg(command.get_program());
        shell.args(command.get_args());
        shell.env_remove("NO_COLOR").env_remove("CLICOLOR");
        let mut terminal = Terminal::run(shell, true);
        let mut page = terminal.expect("label");
        assert_eq!(terminal.wait(), 0);
        page += &terminal.screen;
        page
    };
    let page = on_a_terminal(None);
    assert!(page.contains("\u{1b}[33mFREE"), "{page:?}");
    for refusal in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let page = on_a_terminal(Some(refusal));
        let powers = ["FREE   powers", "gagged powers"];
        assert!(powers.iter().any(|text| page.contains(text)), "{page}");
        assert!(!page.contains('\u{1b}'), "{page:?}");
    }
}

#[test]
fn names_do_not_speak_to_the_terminal() {
    if !is_root() {
        return;
    }
    // An escape sequence, C1's short form of it, and writing turned round.
    let names = ["q\u{1b}]0;h\u{7}", "p\u{9b}2J", "x\u{202e}evil"];
    let mut script = String::new();
    for name in names {
        script += &format!("ip link add '{name}' type veth || exit; ");
    }
    script += "exec cat";
    let it = running(&["unshare", "-n", "sh", "-c", &script], "cat");
    let number = it.pid.to_string();
    for arguments in [&[number.as_str()][..], &["--json", &number]] {
        let page = peek(arguments);
        for bad in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}'] {
            assert!(!page.contains(bad), "{page:?}");
        }
        // The control: the names are there.
        let page: String = page.split_whitespace().collect();
        assert!(page.contains("evil") && page.contains("]0;h"), "{page}");
    }
}
