//! step00 on a terminal, which it shares with its command: a person's keys
//! reach the command once, and the terminal stays the shell's.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use witness::terminal::Terminal;
use witness::{Machine, eventually, process};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");
const CONTROL_C: &str = "\x03";
const CONTROL_Z: &str = "\x1a";
const CONTROL_BACKSLASH: &str = "\x1c";

/// What it runs, as soon as there is such a command.
fn command_of(launcher: i32, name: &str) -> i32 {
    let mut pid = 0;
    eventually("the command", || {
        pid = process::children(launcher).first().copied().unwrap_or(0);
        process::name(pid) == name
    });
    pid
}

#[test]
fn control_c_ends_the_command_and_the_terminal_is_as_before() {
    let _machine = Machine::new();
    let mut terminal = Terminal::start(STEP00, &["-q", "sleep", "1000"]);
    let before = terminal.settings();
    command_of(terminal.pid(), "sleep");
    terminal.press(CONTROL_C);
    assert_eq!(terminal.wait(), 128 + Signal::SIGINT as i32);
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_key_reaches_the_command_once_and_not_twice() {
    let _machine = Machine::new();
    let script = "sleep 1000 & trap 'echo interrupt' INT
                  trap 'kill $!; echo enough; exit 3' QUIT
                  echo ready; while :; do wait; done";
    let presses = |by_hand: bool| {
        let mut terminal =
            Terminal::start(STEP00, &["-q", "sh", "-c", script]);
        terminal.expect("ready");
        terminal.press(CONTROL_C);
        terminal.expect("interrupt");
        if by_hand {
            // Two of the same would be one.
            eventually("step00 to take the first one", || {
                !process::has_signal(terminal.pid(), "ShdPnd", Signal::SIGINT)
            });
            let launcher = Pid::from_raw(terminal.pid());
            kill(launcher, Signal::SIGINT).expect("send a signal");
            terminal.expect("interrupt");
        }
        terminal.press(CONTROL_BACKSLASH);
        terminal.expect("enough");
        assert_eq!(terminal.wait(), 3);
        terminal.screen.clone()
    };
    let rest = presses(false);
    assert!(!rest.contains("interrupt"), "{rest}");
    // The control: the one that only step00 gets is handed on.
    presses(true);
}

#[test]
fn a_command_that_has_left_the_foreground_still_hears_control_c() {
    let _machine = Machine::new();
    // In a session of its own it has no terminal, and so no keys.
    let command = ["-q", "setsid", "sleep", "1000"];
    let mut terminal = Terminal::start(STEP00, &command);
    let sleep = command_of(terminal.pid(), "sleep");
    let session = nix::unistd::getsid(Some(Pid::from_raw(sleep)));
    assert_eq!(session, Ok(Pid::from_raw(sleep)), "the premise");
    terminal.press(CONTROL_C);
    assert_eq!(terminal.wait(), 128 + Signal::SIGINT as i32);
}

#[test]
fn closing_the_window_ends_the_command() {
    let _machine = Machine::new();
    // The kernel tells the leader of the session alone: that is step00 here,
    // as under `xterm -e step00`.
    let mut terminal = Terminal::start(STEP00, &["-q", "sleep", "1000"]);
    let sleep = command_of(terminal.pid(), "sleep");
    terminal.hang_up();
    assert_eq!(terminal.wait(), 128 + Signal::SIGHUP as i32);
    assert!(process::is_gone(sleep));
    // The control: a command that takes no notice outlives the window.
    let script = "trap '' HUP; exec sleep 1000";
    let mut terminal = Terminal::start(STEP00, &["-q", "sh", "-c", script]);
    let sleep = command_of(terminal.pid(), "sleep");
    terminal.hang_up();
    eventually("the hang-up to be taken", || {
        !process::has_signal(terminal.pid(), "ShdPnd", Signal::SIGHUP)
    });
    assert!(!process::is_gone(sleep));
    kill(Pid::from_raw(sleep), Signal::SIGTERM).expect("end it");
    assert_eq!(terminal.wait(), 128 + Signal::SIGTERM as i32);
}

#[test]
fn control_z_stops_it_and_fg_brings_it_back() {
    let _machine = Machine::new();
    let flags = ["--norc", "--noprofile", "--noediting", "-i"];
    let mut terminal = Terminal::start("bash", &flags);
    let shell = terminal.pid();
    terminal.press(&format!("{STEP00} -q sleep 1000\n"));
    let launcher = command_of(shell, "step00");
    let sleep = command_of(launcher, "sleep");
    terminal.press(CONTROL_Z);
    terminal.expect("Stopped");
    let are =
        |state| [launcher, sleep].map(process::state) == [Some(state); 2];
    eventually("both to be stopped", || are('T'));
    terminal.press("fg\n");
    eventually("both to go on", || are('S'));
    terminal.press(CONTROL_C);
    terminal.press("echo status=$?\n");
    terminal.expect("status=130");
    terminal.press("exit\n");
    assert_eq!(terminal.wait(), 0);
}
