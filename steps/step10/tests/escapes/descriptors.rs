//! What the launcher has open: a folder of the machine that a container
//! inherits is a way around its root (CVE-2024-21626).

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};
use witness::{Folder, Machine, Report, run};

use crate::files::identity;
use crate::{
    ATTEMPT, Answer, PROGRAM, UNGUARDED, VARIABLE, answers, container, errno,
    launcher, outside, own_program,
};

/// The numbers of this process's descriptors.
pub fn list(_: &str) -> Answer {
    let entries = fs::read_dir("/proc/self/fd").map_err(errno)?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u32> =
        names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    // The one by which they are read is gone by now.
    let is_open =
        |n: &u32| fs::read_link(format!("/proc/self/fd/{n}")).is_ok();
    let numbers: Vec<_> =
        numbers.iter().filter(|n| is_open(n)).map(u32::to_string).collect();
    Ok(numbers.join(" "))
}

/// Makes a folder the root directory, as a container without pivot_root would
/// have it, and goes to the one that is open as this number: `7 /tmp`.
pub fn enter_leaked(argument: &str) -> Answer {
    let (number, folder) = argument.split_once(' ').expect("two words");
    let proc = format!("{folder}/proc");
    if fs::create_dir(&proc).is_ok() {
        let kind = Some("proc");
        mount(kind, proc.as_str(), kind, MsFlags::empty(), None::<&str>)?;
    }
    chroot(folder)?;
    chdir("/")?;
    chdir(format!("/proc/self/fd/{number}").as_str())?;
    identity(".")
}

/// Starts a program with the machine's `/` as number 7, and a file as 8.
fn leaking(program: &str, arguments: &[&str]) -> Vec<String> {
    with_open("7</ 8</etc/passwd", program, arguments)
}

/// Starts a program with these redirections of the shell.
fn with_open(what: &str, program: &str, arguments: &[&str]) -> Vec<String> {
    let script = format!("exec {what}; exec \"$0\" \"$@\"");
    let all = [&["-c", &script, program][..], arguments].concat();
    all.into_iter().map(String::from).collect()
}

fn shell(arguments: &[String]) -> Command {
    let mut command = witness::command("sh");
    command.args(arguments);
    command
}

/// Runs a command in a container that is started in this way.
fn run_leaking(flags: &[&str], command: &[&str]) -> Report {
    let start = launcher(flags);
    let start: Vec<&str> = start.iter().map(String::as_str).collect();
    let command = [&start[..], &["--"], command].concat();
    let arguments = leaking("env", &command);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run("sh", &arguments)
}

#[test]
fn only_stdin_stdout_and_stderr_come_along() {
    let _machine = Machine::new();
    let attempts = ["descriptors", "enter-leaked 7 /"];
    // The guard: step00 closes all others before execve(2).
    for flags in [&[][..], &["--init"], &UNGUARDED] {
        let arguments = container(flags, PROGRAM, &attempts);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let found = answers(shell(&leaking("env", &arguments)), 2);
        assert_eq!(found, ["0 1 2", "ENOENT"], "{flags:?}");
    }
    // The control: what is started in the same way without a launcher has
    // them, and number 7 leads past its root directory.
    let folder = Folder::new();
    let program = own_program();
    let arguments = [&["--mount", program.as_str()][..], &ATTEMPT].concat();
    let mut command = shell(&leaking("unshare", &arguments));
    let enter = format!("enter-leaked 7 {}", folder.path().display());
    command.env(VARIABLE, format!("descriptors;{enter}"));
    let found = answers(command, 2);
    let numbers: Vec<&str> = found[0].split(' ').collect();
    assert!(numbers.contains(&"7") && numbers.contains(&"8"), "{numbers:?}");
    assert_eq!(found[1], outside(&["root"])[0]);
}

#[test]
fn a_folder_as_stdin_stays_outside() {
    let _machine = Machine::new();
    let start = |what: &str| {
        let command = [launcher(&[]), ["--", "true"].map(Into::into).into()];
        let command = command.concat();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        shell(&with_open(what, "env", &command)).output().expect("start it")
    };
    // The guard: step10 looks at the three that do come along.
    for (what, name) in
        [("0</", "stdin"), ("1</", "stdout"), ("0</tmp", "stdin")]
    {
        let output = start(what);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{what}: {words}");
        assert!(words.contains(&format!("take {name}")), "{what}: {words}");
    }
    // The controls: a file may come, and a folder would be a way out.
    assert!(start("0</etc/passwd").status.success());
    let folder = Folder::new();
    let program = own_program();
    let arguments = [&["--mount", program.as_str()][..], &ATTEMPT].concat();
    let mut command = shell(&with_open("0</", "unshare", &arguments));
    let enter = format!("enter-leaked 0 {}", folder.path().display());
    command.env(VARIABLE, enter);
    assert_eq!(answers(command, 1), outside(&["root"]));
}

#[test]
fn no_open_folder_becomes_the_working_directory() {
    let _machine = Machine::new();
    let folder = Folder::new();
    symlink("/proc/self/fd/7", folder.join("way-out")).expect("make a link");
    let volume = format!("{}:/volume", folder.path().display());
    let enter = |folder: &str| {
        let flags = ["--volume", &volume, "--workdir", folder];
        run_leaking(&flags, &["pwd"])
    };
    // The guard: the way to it may have no magic link, and so the kernel says
    // ELOOP (openat2(2), RESOLVE_NO_MAGICLINKS). Nor may a link of the
    // image or a volume lead to one.
    for folder in ["/proc/self/fd/7", "/volume/way-out", "/volume/way-out/etc"]
    {
        let report = enter(folder);
        assert_eq!((report.status, &*report.stdout), (125, ""), "{folder}");
        assert!(report.stderr.contains("ELOOP"), "{}", report.stderr);
    }
    // Nor is any other one that the launcher has open at that moment: layers,
    // volumes, its control group.
    for number in 3..12 {
        let report = enter(&format!("/proc/self/fd/{number}"));
        assert_eq!((report.status, &*report.stdout), (125, ""), "{number}");
    }
    assert_eq!(enter("/etc").stdout, "/etc\n", "the control");
}

#[test]
fn no_open_folder_leads_to_a_program() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let program = own_program();
    let through = format!("/proc/self/fd/7{program}");
    symlink(&through, folder.join("way-out")).expect("make a link");
    symlink("/bin/true", folder.join("true")).expect("make a link");
    let volume = format!("{}:/volume", folder.path().display());
    let volume = ["--volume", volume.as_str()];
    // The guard: the descriptors are closed *before* execve(2). Marked
    // close-on-exec, they would still be there while it looks for the program.
    for path in [through.as_str(), "/volume/way-out"] {
        for flags in [&volume[..], &[&volume[..], &["--init"]].concat()] {
            let report = run_leaking(flags, &[path, "--list"]);
            assert_eq!(report.status, 127, "{path}: {}", report.stdout);
            assert!(report.stderr.contains("ENOENT"), "{}", report.stderr);
        }
    }
    // The controls: a link is no obstacle, and the path leads to a program.
    let report = run_leaking(&volume, &["/volume/true"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let arguments = leaking(&through, &["--list"]);
    assert!(shell(&arguments).output().expect("run it").status.success());
}
