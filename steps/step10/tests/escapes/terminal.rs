//! The terminal on which the launcher was started: what is typed there runs as
//! the person in front of it, as soon as the container has ended.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::errno::Errno;
use witness::Machine;
use witness::terminal::Terminal;

use crate::{
    ATTEMPT, Answer, NO_FILTER, PROGRAM, VARIABLE, container, done,
    find_answers, own_program,
};

/// Puts a key into the input of the terminal on stdin (ioctl_tty(2)).
pub fn type_key(_: &str) -> Answer {
    let key = b'\n';
    // SAFETY: TIOCSTI reads one byte, and this is one.
    let answer = unsafe { libc::ioctl(0, libc::TIOCSTI as _, &raw const key) };
    Errno::result(answer)?;
    done()
}

/// How many keys are waiting to be read on this terminal?
fn typed(terminal: &Terminal) -> i32 {
    let mut count = 0;
    // SAFETY: FIONREAD writes one int, and this is one.
    let answer = unsafe {
        libc::ioctl(terminal.slave().as_raw_fd(), libc::FIONREAD, &mut count)
    };
    Errno::result(answer).expect("count the keys");
    count
}

/// What the kernel says without the filter. Since Linux 6.2 an administrator
/// can switch TIOCSTI off for all who lack CAP_SYS_ADMIN on the machine.
fn without_filter() -> &'static str {
    let setting = fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti");
    match setting.is_ok_and(|setting| setting.trim() == "0") {
        true => "EIO",
        false => "done",
    }
}

#[test]
fn nothing_can_be_typed_on_a_terminal_of_ones_own() {
    let _machine = Machine::new();
    for (flags, answer) in [
        // The guard: the filter.
        (&[][..], "EPERM"),
        // Behind it: the terminal inside is the container's own. It may type
        // there as much as it likes.
        (&NO_FILTER[..], without_filter()),
    ] {
        let arguments = container(flags, PROGRAM, &["type"]);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mut terminal = Terminal::start("env", &arguments);
        terminal.expect(&format!("answer: {answer}\r\n"));
        assert_eq!(terminal.wait(), 0);
        assert_eq!(typed(&terminal), 0, "{flags:?}");
    }
    // The control: the same program on the machine's terminal.
    let mut command = Command::new(own_program());
    command.args(ATTEMPT).env(VARIABLE, "type");
    let mut terminal = Terminal::run(command, true);
    terminal.expect("answer: done\r\n");
    assert_eq!(terminal.wait(), 0);
    assert_eq!(typed(&terminal), 1);
}

#[test]
fn in_a_pipe_the_machines_terminal_is_out_of_reach() {
    let _machine = Machine::new();
    // `step10 ... | less`: no terminal is made, and stdin is the machine's.
    let attempts = ["type", "open /dev/tty"];
    for (flags, typing) in [
        (&[][..], "EPERM"),
        // Behind the filter: it is in a session of its own, and that terminal
        // is not its controlling one.
        (
            &NO_FILTER[..],
            if without_filter() == "done" {
                "EPERM"
            } else {
                without_filter()
            },
        ),
    ] {
        let arguments = container(flags, PROGRAM, &attempts);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let (mut terminal, mut stdout) =
            Terminal::start_in_a_pipe("env", &arguments);
        let mut text = String::new();
        stdout.read_to_string(&mut text).expect("read its stdout");
        assert_eq!(find_answers(&text), [typing, "ENXIO"], "{flags:?}");
        assert_eq!(terminal.wait(), 0);
        assert_eq!(typed(&terminal), 0, "{flags:?}");
    }
    // The control: the same program in the same pipe, without a container.
    let variable = format!("{VARIABLE}={}", attempts.join(";"));
    let program = own_program();
    let command = [&[&*variable, &*program][..], &ATTEMPT].concat();
    let (mut terminal, mut stdout) =
        Terminal::start_in_a_pipe("env", &command);
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("read its stdout");
    assert_eq!(find_answers(&text), [without_filter(), "done"]);
    assert_eq!(terminal.wait(), 0);
}
