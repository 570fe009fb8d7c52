//! step00 from outside: nothing is put on, so everything passes through.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, ExitStatus, Stdio};

use witness::{Folder, Machine, run, run_in, start};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");

/// The same command with step00 before it, and without.
fn both(command: &[&OsStr]) -> [Command; 2] {
    let mut with = Command::new(STEP00);
    with.args(["-q", "--"]).args(command);
    let mut without = Command::new(command[0]);
    without.args(&command[1..]);
    [with, without]
}

fn texts<'a>(words: &[&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(|&word| OsStr::new(word)).collect()
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().expect("start it");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(String::from).collect()
}

#[test]
fn the_process_has_no_namespace_of_its_own() {
    let _machine = Machine::new();
    let process = start(STEP00, &["-q"], "");
    for kind in ["uts", "pid", "mnt", "net", "user", "ipc", "cgroup", "time"] {
        assert!(!process.is_apart(kind), "{kind} is another one");
    }
    assert_eq!(process.status("Seccomp"), "0");
    process.end();
    // The control: unshare(1) makes some.
    let process = start("unshare", &["--fork", "-U", "-r", "-u", "-i"], "");
    for kind in ["user", "uts", "ipc"] {
        assert!(process.is_apart(kind), "{kind} is the same one");
    }
    process.end();
}

#[test]
fn the_arguments_arrive_as_they_are() {
    let _machine = Machine::new();
    let script = "tr '\\0' '\\n' </proc/$$/cmdline | od -c";
    let mut command = texts(&["sh", "-c", script, "sh"]);
    command.extend(texts(&["", "a b", "-q", "--help", "--", "*", "$HOME"]));
    command.push(OsStr::from_bytes(b"not \xff\xfe text \n"));
    let [mut with, mut without] = both(&command);
    let expected = output(&mut without);
    assert_eq!(output(&mut with), expected);
    assert!(lines(&expected).len() > 5, "the control: they are printed");
    // No -- is needed before a command: what follows it is all its own.
    let flags = ["-q", "printf", "<%s>", "-q", "--", "--help", "-"];
    assert_eq!(run(STEP00, &flags).stdout, "<-q><--><--help><->");
}

#[test]
fn the_environment_arrives_as_it_is_but_for_the_prompt() {
    let _machine = Machine::new();
    let path = std::env::var_os("PATH").expect("a PATH");
    let variables = [
        ("PATH", path),
        ("EMPTY", OsString::new()),
        ("SPACES", " two  words\n".into()),
        ("BYTES", OsStr::from_bytes(b"\xff\x01").to_owned()),
        ("PS1", "mine".into()),
    ];
    let all = |mut command: Command| {
        command.env_clear().envs(variables.clone());
        let output = output(&mut command);
        let mut all: Vec<_> =
            output.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        all.sort();
        all
    };
    let [with, without] = both(&texts(&["cat", "/proc/self/environ"]));
    let (mut with, mut without) = (all(with), all(without));
    assert!(without.contains(&b"EMPTY=".to_vec()), "the control");
    let is_prompt = |entry: &Vec<u8>| entry.starts_with(b"PS1=");
    let prompt = with.iter().find(|entry| is_prompt(entry)).cloned();
    let prompt = String::from_utf8(prompt.expect("a prompt")).expect("text");
    assert!(prompt.contains("step00 (your real files)"), "{prompt}");
    with.retain(|entry| !is_prompt(entry));
    without.retain(|entry| !is_prompt(entry));
    assert_eq!(with, without);
}

#[test]
fn all_else_that_a_process_has_is_the_same_too() {
    let _machine = Machine::new();
    let folder = Folder::new();
    // The last line: no descriptor of the launcher's (the gate, a pidfd) has
    // come along. One of them is that of `ls` itself.
    let script = "pwd; umask; nice
        grep -E '^(Uid|Gid|Groups|Cap|NoNew|Sec|Sig[^QP]|Cpus)' \
            /proc/self/status
        cat /proc/self/limits /proc/self/oom_score_adj /proc/self/cgroup
        ls /proc/self/fd";
    let strange = |mut command: Command| {
        let wrap = "umask 027; ulimit -n 77; exec nice -n 3 \"$@\"";
        let mut shell = witness::command("sh");
        shell.args(["-c", wrap, "sh"]).arg(command.get_program());
        shell.args(command.get_args()).current_dir(folder.path());
        command = shell;
        lines(&output(&mut command))
    };
    let [with, without] = both(&texts(&["sh", "-c", script]));
    let (with, without) = (strange(with), strange(without));
    assert_eq!(with, without);
    for own in [folder.path().to_str().expect("text"), "0027", "3"] {
        assert!(with.iter().any(|line| line == own), "the control: {own}");
    }
    let plain = run(STEP00, &["-q", "sh", "-c", script]);
    assert_ne!(lines(plain.stdout.as_bytes()), with, "the control");
}

#[test]
fn a_descriptor_that_was_opened_for_the_command_reaches_it() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let script = "exec 5>\"$1\"; exec \"$2\" -q sh -c 'echo through >&5'";
    let file = folder.text("file");
    let report = run("sh", &["-c", script, "sh", &file, STEP00]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert_eq!(fs::read_to_string(&file).expect("read it"), "through\n");
    // The control: without the descriptor the same command fails.
    let report = run(STEP00, &["-q", "sh", "-c", "echo through >&5"]);
    assert_ne!(report.status, 0);
}

/// A mebibyte in which every byte value occurs, in no order.
fn noise() -> Vec<u8> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..1 << 20).map(next).collect()
}

/// Sends this through a command: what comes out, and on stderr.
fn pour(command: &mut Command, bytes: Vec<u8>) -> (Vec<u8>, ExitStatus) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("start it");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().expect("read it");
    writer.join().expect("a thread").expect("write");
    (output.stdout, output.status)
}

#[test]
fn in_a_pipe_no_byte_changes() {
    let _machine = Machine::new();
    let bytes = noise();
    // With the ledger: that is on stderr, and only there.
    let through = |command: &[&str]| {
        let (stdout, status) =
            pour(Command::new(STEP00).args(command), bytes.clone());
        assert!(status.success());
        stdout
    };
    assert!(through(&["cat"]) == bytes, "some byte has changed");
    assert!(through(&["tr", "\\000", "x"]) != bytes, "the control");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command() {
    let _machine = Machine::new();
    let status = |script: &str| {
        let mut child = Command::new(STEP00)
            .args(["-q", "sh", "-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start step00");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("read a line");
        drop(stdout);
        assert_eq!(line, "y\n");
        child.wait().expect("wait for it")
    };
    // SIGPIPE, which a Rust program ignores, is back for the command.
    assert_eq!(status("exec yes").code(), Some(128 + 13));
    // The control: had it stayed ignored, `yes` would have had to notice.
    assert_eq!(status("trap '' PIPE; exec yes").code(), Some(1));
}

#[test]
fn a_name_without_a_slash_is_looked_for_in_path() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let place = |name: &str, mode: u32, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("write");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&path, mode).expect("chmod");
    };
    place("closed/hello", 0o644, "echo closed");
    place("first/hello", 0o755, "echo first");
    place("second/hello", 0o755, "echo second");
    place("plain/hello", 0o755, "");
    fs::write(folder.join("plain/hello"), "no program").expect("write");
    let find = |path: &[&str], name: &str| {
        let path: Vec<_> = path.iter().map(|name| folder.text(name)).collect();
        let path = [("PATH", &*path.join(":"))];
        let report = run_in(STEP00, &["-q", name], folder.path(), &path);
        (report.status, report.stdout)
    };
    let first = (0, "first\n".to_owned());
    assert_eq!(find(&["none", "first", "second"], "hello"), first);
    assert_eq!(find(&["second", "first"], "hello").1, "second\n");
    assert_eq!(find(&["closed", "first"], "hello"), first, "not for us");
    assert_eq!(find(&["closed", "none"], "hello").0, 126, "but there it is");
    assert_eq!(find(&["plain", "first"], "hello").0, 126, "as execvp(3)");
    assert_eq!(find(&["none"], "hello").0, 127);
    // A path is not looked for, and the current folder not looked at.
    assert_eq!(find(&["none"], "first/hello"), first);
    fs::rename(folder.join("first/hello"), folder.join("hello")).expect("mv");
    assert_eq!(find(&["first"], "hello").0, 127);
    assert_eq!(find(&["first"], "./hello"), first, "the control");
}

#[test]
fn without_any_path_the_systems_own_folders_are_meant() {
    let _machine = Machine::new();
    let folder = Folder::new();
    fs::copy("/bin/true", folder.join("here")).expect("copy a program");
    let status = |name: &str| {
        let mut command = Command::new(STEP00);
        command.args(["-q", name]).env_remove("PATH").stderr(Stdio::null());
        command.current_dir(folder.path());
        command.status().expect("start step00").code()
    };
    assert_eq!(status("true"), Some(0));
    assert_eq!(status("here"), Some(127), "the current folder is not");
    assert_eq!(status("./here"), Some(0), "the control");
}

#[test]
fn closed_streams_stay_out_of_the_way() {
    let _machine = Machine::new();
    // A descriptor of ours that took the number of a closed stream would be
    // written to. Rust puts /dev/null there before anything else.
    let script = "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 \
                  >\"$1\"; exit 7";
    let folder = Folder::new();
    let file = folder.text("file");
    let look = |closed: &str| {
        let wrap = format!("exec \"$1\" sh -c '{script}' sh \"$2\" {closed}");
        let report = run("sh", &["-c", &wrap, "sh", STEP00, &file]);
        assert_eq!(report.status, 7, "{closed}: {}", report.stderr);
        fs::read_to_string(&file).expect("read it")
    };
    for closed in ["<&-", "2>&-", "<&- >&- 2>&-"] {
        for stream in look(closed).lines() {
            let is_harmless = stream == "/dev/null"
                || stream.starts_with("pipe:")
                || stream == file;
            assert!(is_harmless, "{closed}: {stream}");
        }
    }
    // The controls: an open one is what it was, a closed one is not.
    assert!(look("").contains("pipe:"));
    assert!(!look("<&- >&- 2>&-").contains("pipe:"));
}

#[test]
fn what_a_command_writes_to_a_full_disk_is_its_own_affair() {
    let _machine = Machine::new();
    for (redirection, command, status) in [
        // The ledger cannot be written, and the command runs all the same.
        ("2>/dev/full", "true", 0),
        // Neither can the error, and its exit status stays.
        ("2>/dev/full", "no-such-command", 127),
        (">/dev/full", "true", 0),
        // Help that nobody gets is an error; a wrong flag is one already.
        (">/dev/full", "--help", 125),
        (">/dev/null", "--help", 0),
        ("2>/dev/full", "--no-such-flag", 2),
        // The control: it is full for those who write to it.
        (">/dev/full", "echo word", 1),
    ] {
        let wrap = format!("exec \"$1\" {command} {redirection}");
        let report = run("sh", &["-c", &wrap, "sh", STEP00]);
        assert_eq!(report.status, status, "{command} {redirection}");
    }
}
