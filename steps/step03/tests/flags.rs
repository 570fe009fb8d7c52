//! step03: what its flags ask for, and the environment that starts clean.

mod own_root;

use own_root::own_root;
use witness::terminal::Terminal;
use witness::{Folder, Machine, mount_at, run, run_in, start};

const STEP03: &str = env!("CARGO_BIN_EXE_step03");
const READ_ONLY: &str = "Read-only file system";

#[test]
fn a_read_only_root_leaves_dev_and_volumes_writable() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let volume = format!("{}:/made", folder.text(""));
    let flags = ["-q", "--rootfs", &root, "-v", &volume];
    let step03 = |more: &[&str], script: &str| {
        run(STEP03, &[&flags[..], more, &["--", "sh", "-c", script]].concat())
    };
    for change in ["echo x >/new", "rm /etc/passwd", "chmod 700 /tmp"] {
        let report = step03(&["--read-only"], change);
        assert_ne!(report.status, 0, "{change}");
        assert!(report.stderr.contains(READ_ONLY), "{}", report.stderr);
    }
    let script = "echo x >/made/new && echo x >/dev/shm/new && \
                  echo x >/dev/null && touch /dev/new";
    let report = step03(&["--read-only"], script);
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(folder.join("new").exists());
    let control = step03(&[], "echo x >/new");
    assert_eq!(control.status, 0, "the control: {}", control.stderr);
}

#[test]
fn a_read_only_root_keeps_the_other_flags_of_its_mount() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    std::fs::create_dir(folder.join("disk")).expect("make a folder");
    // As /home is on many machines: no setuid programs, no devices.
    let disk = folder.text("disk");
    let mount = format!(
        "mount -t tmpfs -o nosuid,nodev none {disk} && \
         cp -a {root} {disk}/root && exec \"$@\""
    );
    let new_root = format!("{disk}/root");
    let command = ["-m", "sh", "-c", &mount, "sh"];
    let step03 = [STEP03, "-q", "--rootfs", &new_root];
    for read_only in [&["--read-only"][..], &[]] {
        let flags = [&command[..], &step03, read_only].concat();
        let process = start("unshare", &flags, "");
        let root = mount_at(process.pid, "/").expect("a root");
        assert_eq!(root.kind, "tmpfs", "the premise");
        let has = |flag: &str| root.flags.iter().any(|known| known == flag);
        assert!(has("nosuid") && has("nodev"), "{root:?}");
        assert_eq!(has("ro"), !read_only.is_empty(), "{root:?}");
        process.end();
    }
}

#[test]
fn it_starts_in_the_folder_that_workdir_names() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let root = own_root(&folder);
    let volume = format!("{}:/v", folder.text(""));
    let flags = ["-q", "--rootfs", &root, "-v", &volume];
    let step03 = |more: &[&str]| {
        run(STEP03, &[&flags[..], more, &["--", "pwd"]].concat())
    };
    assert_eq!(step03(&[]).stdout, "/\n");
    for (wanted, found) in
        [("/usr/bin", "/usr/bin"), ("/v", "/v"), ("etc", "/etc")]
    {
        assert_eq!(step03(&["-w", wanted]).stdout, format!("{found}\n"));
    }
    // Nobody waits for the other end of a pipe.
    let mut mkfifo = witness::command("mkfifo");
    let status = mkfifo.arg(folder.join("pipe")).status();
    assert!(status.expect("start mkfifo").success());
    for wrong in
        ["/no/such/folder", "/etc/passwd", "/v/pipe", &folder.text("")]
    {
        let report = step03(&["--workdir", wrong]);
        assert_eq!((report.status, &*report.stdout), (125, ""), "{wrong}");
        assert!(report.stderr.contains(wrong), "{}", report.stderr);
        assert!(report.stderr.contains("\n  try: "), "{}", report.stderr);
    }
}

/// Runs env(1) for a launcher that has a variable of its own.
fn variables(program: &str, flags: &[&str]) -> Vec<String> {
    let arguments = [flags, &["env"]].concat();
    let extra = [("WITNESS", "a secret"), ("TERM", "vt100")];
    let report = run_in(program, &arguments, "/".as_ref(), &extra);
    assert_eq!(report.status, 0, "{}", report.stderr);
    let mut lines: Vec<_> = report.stdout.lines().map(String::from).collect();
    lines.sort();
    lines
}

#[test]
fn the_environment_starts_clean() {
    let _machine = Machine::new();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let found = variables(STEP03, &["-q", "--hostname", "elsewhere"]);
    let path = format!("PATH={path}");
    let wanted = [
        "HOME=/root",
        "HOSTNAME=elsewhere",
        &path,
        "PS1=step03 # ",
        "TERM=vt100",
    ];
    assert_eq!(found, wanted);
    // The control: this is what a process inherits if nothing is cleaned up.
    let inherited = variables("env", &["-u", "PWD"]);
    assert!(inherited.contains(&"WITNESS=a secret".to_owned()));
}

#[test]
fn a_variable_can_be_added_and_replaced() {
    let _machine = Machine::new();
    let flags = ["-q", "-e", "A=1", "-e", "B=x=y z", "-e", "A=2"];
    let more = ["--env", "TERM=dumb", "-e", "EMPTY="];
    let found = variables(STEP03, &[&flags[..], &more].concat());
    for wanted in ["A=2", "B=x=y z", "TERM=dumb", "EMPTY="] {
        assert!(found.contains(&wanted.to_owned()), "{wanted}: {found:?}");
    }
    assert_eq!(found.len(), 5 + 3);
    for wrong in ["=1", ""] {
        let report = run(STEP03, &["-q", "-e", wrong, "--", "true"]);
        assert_eq!(report.status, 2, "{wrong:?}: {}", report.stderr);
        assert!(report.stderr.contains("--env"), "{}", report.stderr);
    }
}

/// A command line is for all to read, an environment for its owner.
#[test]
fn a_secret_need_not_be_on_the_command_line() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let file = folder.text("variables");
    std::fs::write(&file, "# a comment\n\nFILE=of it=x\nKNOWN\nBOTH=file\n")
        .expect("write it");
    let flags = ["-q", "-e", "KNOWN", "-e", "UNKNOWN", "-e", "BOTH=flag"];
    let command = ["--env-file", &file, "--", "env"];
    let all = [&flags[..], &command].concat();
    let here = std::path::Path::new(".");
    let report = run_in(STEP03, &all, here, &[("KNOWN", "launcher's")]);
    let lines: Vec<&str> = report.stdout.lines().collect();
    for wanted in ["FILE=of it=x", "KNOWN=launcher's", "BOTH=flag"] {
        assert!(lines.contains(&wanted), "{wanted}: {lines:?}");
    }
    assert!(!report.stdout.contains("UNKNOWN"), "{lines:?}");
    // The control: what is not named stays outside.
    let report = run_in(STEP03, &["-q", "env"], here, &[("KNOWN", "x")]);
    assert!(!report.stdout.contains("KNOWN"), "{}", report.stdout);
    let missing = folder.text("missing");
    for wrong in [&missing, folder.path().to_str().expect("a path")] {
        let report = run(STEP03, &["-q", "--env-file", wrong, "true"]);
        assert_eq!(report.status, 125, "{}", report.stderr);
        assert!(report.stderr.contains(wrong), "{}", report.stderr);
    }
}

#[test]
fn a_command_is_looked_for_in_the_path_inside() {
    let _machine = Machine::new();
    let step03 = |path: &str| run(STEP03, &["-q", "-e", path, "--", "true"]);
    assert_eq!(step03("PATH=/nowhere:/bin").status, 0);
    assert_eq!(step03("PATH=/nowhere").status, 127, "the control");
}

#[test]
fn the_prompt_says_where_one_is() {
    let _machine = Machine::new();
    let mut terminal = Terminal::start(STEP03, &["-q"]);
    terminal.expect("step03 # ");
    terminal.press("echo $HOSTNAME; exit 3\n");
    terminal.expect("box");
    assert_eq!(terminal.wait(), 3);
    // The control: the prompt is a variable like any other.
    let mut terminal = Terminal::start(STEP03, &["-q", "-e", "PS1=other> "]);
    terminal.expect("other> ");
    terminal.press("exit\n");
    assert_eq!(terminal.wait(), 0);
}
