//! A person in front of step02: job control, window size, and the terminal
//! as it was, however the rung ends.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::terminal::Terminal;
use witness::{Machine, eventually, process};

const STEP02: &str = env!("CARGO_BIN_EXE_step02");

/// A shell on a terminal, at its prompt. busybox behaves alike everywhere.
fn shell() -> Terminal {
    let mut terminal = Terminal::start(STEP02, &["-q", "busybox", "sh"]);
    terminal.expect("step02 (your real files) # ");
    terminal
}

#[test]
fn the_shell_has_job_control() {
    let _machine = Machine::new();
    let mut terminal = shell();
    assert!(!terminal.screen.contains("job control"), "{}", terminal.screen);
    terminal.press("sleep 1000\r");
    terminal.expect("sleep 1000");
    let mut sleep = None;
    eventually("the sleep to run", || {
        sleep = child_named(&terminal, "sleep");
        sleep.is_some()
    });
    let sleep = sleep.expect("a process");
    let is_stopped = || process::state(sleep) == Some('T');
    terminal.press("\x1a"); // Ctrl-Z
    terminal.expect("Stopped");
    assert!(is_stopped());
    terminal.press("fg\r");
    terminal.expect("sleep 1000");
    eventually("the sleep to go on", || !is_stopped());
    terminal.press("\x03"); // Ctrl-C
    terminal.expect("^C");
    eventually("the sleep to end", || process::is_gone(sleep));
    terminal.press("echo al''ive\r");
    terminal.expect("alive");
    // Typed before the prompt, it would be the end of another input.
    terminal.expect("# ");
    terminal.press("\x04"); // Ctrl-D
    // The shell's status is that of its last command.
    assert_eq!(terminal.wait(), 0);
}

/// The process of this name that the terminal's shell has started.
fn child_named(terminal: &Terminal, name: &str) -> Option<i32> {
    let shells = process::children(terminal.pid());
    let mut jobs = shells.iter().flat_map(|&pid| process::children(pid));
    jobs.find(|&pid| process::name(pid) == name)
}

/// The process of this name that step02 has started, as soon as there is one.
fn child_of(terminal: &Terminal, name: &str) -> i32 {
    let mut child = None;
    eventually("the command to run", || {
        let children = process::children(terminal.pid());
        child = children.into_iter().find(|&pid| process::name(pid) == name);
        child.is_some()
    });
    child.expect("a process")
}

#[test]
fn the_window_has_its_size_and_follows_changes() {
    let _machine = Machine::new();
    let mut terminal = shell();
    terminal.press("stty size\r");
    terminal.expect("24 80");
    terminal.resize(30, 100);
    terminal.press("while [ \"$(stty size)\" != '30 100' ]; do :; done\r");
    terminal.press("echo fol''lowed\r");
    terminal.expect("followed");
    terminal.press("exit\r");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn a_full_screen_program_draws() {
    let _machine = Machine::new();
    let mut terminal = shell();
    terminal.press("busybox vi /no/such/file\r");
    terminal.expect("~"); // an empty line, as vi shows it
    terminal.press(":q!\r");
    terminal.expect("# ");
    terminal.press("exit\r");
    terminal.wait();
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let _machine = Machine::new();
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let program = ["-q", "--init", "busybox", "cat"];
        let mut terminal = Terminal::start(STEP02, &program);
        eventually("the terminal to be raw", || terminal.is_raw());
        terminal.press("typed\r");
        terminal.expect("typed\r\ntyped\r\n");
        match signal {
            None => terminal.press("\x04"),
            Some(signal) => {
                let pid = Pid::from_raw(terminal.pid());
                kill(pid, signal).expect("send a signal");
            }
        }
        let status = signal.map_or(0, |signal| 128 + signal as i32);
        assert_eq!(terminal.wait(), status);
        // After SIGKILL it is the guardian that does this.
        eventually("the settings to be as before", || {
            terminal.settings() == terminal.before
        });
    }
}

#[test]
fn a_command_that_cannot_run_leaves_the_terminal_alone() {
    let _machine = Machine::new();
    let mut terminal = Terminal::start(STEP02, &["-q", "no-such-command"]);
    terminal.expect("no-such-command");
    assert_eq!(terminal.wait(), 127);
    assert_eq!(terminal.settings(), terminal.before);
}

/// Nobody could see or end it any more. Keys that nobody has taken are no
/// reason to wait.
#[test]
fn closing_the_window_ends_the_command() {
    let _machine = Machine::new();
    let script = "stty -icanon -echo; echo rea''dy; exec sleep 1000";
    for is_full in [false, true] {
        let command = ["-q", "busybox", "sh", "-c", script];
        let mut terminal = Terminal::start(STEP02, &command);
        terminal.expect("ready");
        let sleep = child_of(&terminal, "sleep");
        // The control: to type alone ends nothing.
        if is_full {
            terminal.fill();
        }
        assert!(!process::is_gone(sleep));
        terminal.hang_up();
        eventually("the command to end", || process::is_gone(sleep));
        assert_eq!(terminal.wait(), 137);
    }
}

#[test]
fn ctrl_c_says_why_it_does_nothing_and_then_kills() {
    let _machine = Machine::new();
    let command = ["-q", "busybox", "sleep", "1000"];
    let mut terminal = Terminal::start(STEP02, &command);
    child_of(&terminal, "busybox");
    eventually("the terminal to be raw", || terminal.is_raw());
    terminal.press("\x03");
    terminal.expect("SIGINT dropped");
    terminal.expect("Once more kills it.");
    terminal.press("\x03");
    assert_eq!(terminal.wait(), 137);
}

#[test]
fn what_is_printed_last_still_arrives() {
    let _machine = Machine::new();
    let script = "busybox seq 200000; echo the''-end";
    let command = ["-q", "busybox", "sh", "-c", script];
    let mut terminal = Terminal::start(STEP02, &command);
    terminal.expect("200000\r\nthe-end");
    assert_eq!(terminal.wait(), 0);
}

/// More than a terminal and the queue before it hold (68 KiB), for a reader that takes its time:
/// what is not taken at once waits, and so do the next keys.
#[test]
fn a_flood_of_keys_arrives_whole() {
    let _machine = Machine::new();
    let script = "stty -icanon -echo; echo rea''dy; \
                  busybox dd bs=1 count=200000 2>/dev/null | busybox md5sum";
    let flood: Vec<u8> = (0..200_000).map(|n| b'a' + (n % 23) as u8).collect();
    let mut md5sum = witness::command("busybox");
    let mut md5sum = md5sum
        .arg("md5sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start md5sum");
    let mut stdin = md5sum.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, &flood).expect("write to it");
    drop(stdin);
    let right = md5sum.wait_with_output().expect("its end").stdout;
    let right = String::from_utf8_lossy(&right).into_owned();
    let right = right.split(' ').next().expect("a sum");

    let command = ["-q", "busybox", "sh", "-c", script];
    let mut terminal = Terminal::start(STEP02, &command);
    terminal.expect("ready");
    terminal.paste(&flood);
    terminal.expect(right);
    assert_eq!(terminal.wait(), 0);
}

/// `kill -TSTP` and `fg`: in between the terminal is as the shell has it, and
/// its window may change.
#[test]
fn stopped_and_brought_back_it_is_raw_again_and_knows_its_size() {
    let _machine = Machine::new();
    let script = "echo rea''dy; while read line; do stty size; done";
    let command = ["-q", "busybox", "sh", "-c", script];
    let mut terminal = Terminal::start(STEP02, &command);
    terminal.expect("ready");
    eventually("the terminal to be raw", || terminal.is_raw());
    let launcher = Pid::from_raw(terminal.pid());
    kill(launcher, Signal::SIGTSTP).expect("send a signal");
    eventually("the launcher to be stopped", || {
        process::state(launcher.as_raw()) == Some('T')
    });
    assert_eq!(terminal.settings(), terminal.before);
    terminal.resize(30, 100);
    kill(launcher, Signal::SIGCONT).expect("send a signal");
    eventually("the terminal to be raw again", || terminal.is_raw());
    terminal.press("\r");
    terminal.expect("30 100");
    terminal.press("\x04");
    assert_eq!(terminal.wait(), 0);
}
