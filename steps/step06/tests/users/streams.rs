//! stdin, stdout and stderr, opened once more by their names.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::{
    Folder, Machine, Report, eventually, process, run, wait, within,
};

use crate::person::Person;
use crate::{IDENTITY, as_root, as_sudo, program};

/// Runs a script in this folder. In it "$@" is what starts a container.
fn script(folder: &Folder, starts: &[&str], script: &str) -> Report {
    let script = format!("cd \"$0\" && umask 077 && {script}");
    let folder = folder.text("");
    run("sh", &[&["-c", &script, &folder], starts].concat())
}

fn in_env<'a>(starts: &[&'a str]) -> Vec<&'a str> {
    [&["env"], starts].concat()
}

fn read(folder: &Folder, file: &str) -> String {
    fs::read_to_string(folder.join(file)).expect("read what was written")
}

const ALL_THREE: &str = "cat </dev/stdin; echo 1 >/dev/stdout; \
    echo 2 >/dev/stderr; echo 3 >/dev/fd/1; echo 4 >/proc/self/fd/2";

#[test]
fn pipes_and_files_can_be_opened_by_their_names() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let starts = in_env(&as_root(&[]));
    let run = |redirections: &str| {
        let line = format!(
            "echo 0 >in; mkfifo fifo; echo 0 | \"$@\" sh -c '{ALL_THREE}' \
             {redirections}"
        );
        let report = script(&folder, &starts, &line);
        assert_eq!(report.status, 0, "{redirections}: {}", report.stderr);
        report
    };
    let report = run("");
    assert_eq!(report.stdout, "0\n1\n3\n", "pipes");
    assert_eq!(report.stderr, "2\n4\n");
    for file in ["out", "err"] {
        program("rm", &["-f", &folder.text("fifo")]);
        run("<in >>out 2>>err");
        assert!(read(&folder, file).starts_with(['0', '2']), "{file}");
    }
    assert_eq!(read(&folder, "out"), "0\n1\n3\n".repeat(2), "files");
    assert_eq!(read(&folder, "err"), "2\n4\n".repeat(2));
    program("rm", &["-f", &folder.text("fifo")]);
    let fifos = "<in >fifo & cat fifo; wait $!";
    assert_eq!(run(fifos).stdout, "0\n1\n3\n", "a pipe with a name");

    // The control: whose pipe it is still counts. What it was opened for can
    // be had by its name, and the other end cannot.
    let denied = script(&folder, &starts, "\"$@\" sh -c '</dev/stdout' | cat");
    assert!(denied.stderr.contains("Permission denied"), "{denied:?}");
    // The control: nobody but the user has been let in.
    let other = "exec 3>secret; \"$@\" sh -c 'echo >&3'";
    assert_ne!(script(&folder, &starts, other).status, 0, "it came along");
}

#[test]
fn who_shares_the_file_goes_on_where_the_command_stops() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let starts = in_env(&as_root(&[]));
    for how in [">", ">>"] {
        let line = format!(
            "(echo a; \"$@\" sh -c 'echo b; echo c >/dev/stdout; echo d >&2; \
             echo e; exit 7'; echo $?) {how}f 2>&1; exit 3"
        );
        assert_eq!(script(&folder, &starts, &line).status, 3);
        assert_eq!(read(&folder, "f"), "a\nb\nc\nd\ne\n7\n", "{how}");
        fs::remove_file(folder.join("f")).expect("remove it");
    }
    let rest = "printf '1\\n2\\n3\\n' >in; \
                (\"$@\" sh -c 'read a; read b </dev/stdin; echo $a $b'; cat) <in";
    assert_eq!(script(&folder, &starts, rest).stdout, "1 2\n3\n");
    // More than any pipe holds, read to the end and not at all.
    let whole = "head -c 1000000 /dev/zero >in; \
                 (\"$@\" wc -c; wc -c) <in; (\"$@\" true; wc -c) <in";
    assert_eq!(
        script(&folder, &starts, whole).stdout,
        "1000000\n0\n1000000\n"
    );
    let much = "\"$@\" sh -c 'head -c 1000000 /dev/zero; echo end' >f; \
                wc -c <f; tail -c 4 f";
    assert_eq!(script(&folder, &starts, much).stdout, "1000004\nend\n");
}

#[test]
fn what_the_user_may_open_stays_as_it_is() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let kind = "test -p /dev/stdout && echo pipe; \
                test -f /dev/stdout && echo file";
    let identity = as_root(&IDENTITY);
    let rootless = as_root(&["--rootless"]);
    for (starts, mode, expected) in [
        (as_root(&[]), "600", "pipe"),
        (as_root(&[]), "644", "pipe"),
        (as_root(&[]), "666", "file"),
        (identity, "600", "file"),
        (rootless, "600", "file"),
        (as_sudo(&[]), "600", "pipe"),
    ] {
        let line = format!(
            "rm -f f; >f; chmod {mode} f; \"$@\" sh -c '{kind}' >f; cat f"
        );
        let report = script(&folder, &in_env(&starts), &line);
        let said = format!("{starts:?} {mode}: {}", report.stderr);
        assert_eq!(report.stdout.trim_end(), expected, "{said}");
    }
    let sudo = in_env(&as_sudo(&[]));
    let own = format!(">f; chown 1500 f; \"$@\" sh -c '{kind}' >f; cat f");
    assert_eq!(script(&folder, &sudo, &own).stdout, "file\n");
    // A device is what it was, and so is a file to be read that all may read.
    let line = "echo x >f; chmod 644 f; \
                \"$@\" sh -c 'test -c /dev/stderr && test -f /dev/stdin' \
                <f 2>/dev/null";
    assert_eq!(script(&folder, &in_env(&as_root(&[])), line).status, 0);
    // What is open for the other direction only is answered by the kernel.
    let line = "echo x >f; \"$@\" sh -c 'echo y' 1<f; cat f";
    let wrong = script(&folder, &in_env(&as_root(&[])), line);
    assert_eq!(wrong.stdout, "x\n");
    assert!(wrong.stderr.contains("Bad file descriptor"), "{wrong:?}");
}

#[test]
fn nothing_of_the_callers_changes_its_owner_or_the_mode_of_its_file() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let starts = in_env(&as_root(&[]));
    let line = "mkfifo fifo; >f; cat fifo & \
                \"$@\" sh -c 'echo >/dev/stdout; echo >/dev/stderr' \
                >f 2>fifo; wait";
    assert_eq!(script(&folder, &starts, line).status, 0);
    for name in ["f", "fifo"] {
        let found = fs::metadata(folder.join(name)).expect("look at it");
        let mode = found.permissions().mode() & 0o777;
        assert_eq!((found.uid(), found.gid(), mode), (0, 0, 0o600), "{name}");
    }
    // A pipe has no name, so it may be opened by all who hold it: to write.
    let pipe = "(\"$@\" true; stat -Lc '%u %a' /proc/self/fd/1) | cat";
    assert_eq!(script(&folder, &starts, pipe).stdout, "0 622\n");
    let control = "stat -Lc '%u %a' /proc/self/fd/1 | cat";
    assert_eq!(script(&folder, &starts, control).stdout, "0 600\n");
}

#[test]
fn words_that_are_lost_are_no_success() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let starts = in_env(&as_root(&[]));
    let full = "mkdir d; unshare -m sh -c 'mount -t tmpfs -o size=4k n d && \
                head -c 4096 /dev/zero >d/f; exec \"$@\" >>d/f' sh \"$@\" ";
    let lost = script(&folder, &starts, &format!("{full} echo lost"));
    assert_eq!(lost.status, 125, "{}", lost.stderr);
    let why = "write to stdout: ENOSPC";
    assert!(lost.stderr.contains(why), "{}", lost.stderr);
    let kept = format!("rmdir d; {full} sh -c 'echo lost; exit 4'");
    assert_eq!(script(&folder, &starts, &kept).status, 4, "its own status");
    let control = format!("rmdir d; {full} true");
    let control = script(&folder, &starts, &control);
    assert_eq!((control.status, &*control.stderr), (0, ""), "the control");

    // A reader that goes ends the writer, which would never end by itself.
    let gone = "mkfifo fifo; head -1 fifo & \"$@\" yes >fifo; wait";
    assert_eq!(script(&folder, &starts, gone).stdout, "y\n");
    let control = "\"$@\" yes | head -1";
    assert_eq!(script(&folder, &starts, control).stdout, "y\n");
}

#[test]
fn who_waits_for_a_reader_that_never_reads_can_be_interrupted() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let fifo = folder.text("fifo");
    program("mkfifo", &["-m", "600", &fifo]);
    // Open for both, and so there is a reader: this test, which reads nothing.
    let reader = fs::File::options().read(true).write(true).open(&fifo);
    let reader = reader.expect("open it");
    // More than it takes, and no more than the command's own pipe does.
    let much = ["sh", "-c", "echo begun >&2; head -c 120000 /dev/zero; cat"];
    let mut command = witness::command("env");
    command.args(as_root(&[])).args(much);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    command.stdout(reader.try_clone().expect("a second descriptor"));
    let mut launcher = command.spawn().expect("start it");
    let pid = launcher.id() as i32;
    let is_alone = || process::children(pid).is_empty();
    let mut stderr = BufReader::new(launcher.stderr.take().expect("a pipe"));
    let mut said = String::new();
    // A child alone says little: it may be one that looks at the machine.
    within("the command", || stderr.read_line(&mut said)).expect("read it");
    assert_eq!(said, "begun\n");
    drop(launcher.stdin.take());
    eventually("the command to go", is_alone);
    kill(Pid::from_raw(pid), Signal::SIGWINCH).expect("not for the command");
    let state = process::status(pid, "State").expect("it is there");
    assert!(!state.starts_with('Z'), "the control: it waits: {state}");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("interrupt it");
    assert_eq!(wait(&mut launcher).code(), Some(125));
    stderr.read_to_string(&mut said).expect("read it");
    assert!(said.contains("write to stdout: interrupted"), "{said}");
}

#[test]
fn a_person_alone_opens_them_too() {
    let _machine = Machine::new();
    let person = Person::new();
    let starts = person.starts(&["-q", "--rootless"]);
    let starts = [&["setpriv"], &starts[..]].concat();
    let line = format!("echo 0 | \"$@\" sh -c '{ALL_THREE}' 2>&1 | cat");
    // To a pipe of somebody else's nobody gets by its name, here as anywhere.
    let others = script(&person.home, &starts, &line);
    assert!(others.stdout.contains("Permission denied"), "{others:?}");
    let who = ["--reuid", "1500", "--regid", "1500", "--clear-groups"];
    let own = ["sh", "-c", &line, "sh"];
    let report = run("setpriv", &[&who[..], &own, &starts[7..]].concat());
    assert_eq!(report.stdout, "0\n1\n2\n3\n4\n", "{}", report.stderr);
}
