//! A person at a terminal, who enters a container.

use witness::terminal::Terminal;
use witness::{Machine, run};

use crate::{Container, STEP11};

#[test]
fn a_shell_in_it_has_a_terminal_of_its_own() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let mut terminal = Terminal::start(STEP11, &["exec", &container.name]);
    terminal.expect("step11 # ");
    assert!(terminal.is_raw());
    terminal.press("tty; stty size\r");
    terminal.expect("/dev/pts/");
    terminal.expect("24 80");
    terminal.resize(30, 100);
    terminal.press("stty size\r");
    terminal.expect("30 100");
    // Ctrl-C is for the command in the foreground, and for nobody else.
    terminal.press("sh -c 'echo run\"\"ning; sleep 1000'\r");
    terminal.expect("running");
    terminal.press("\x03");
    terminal.press("echo status $?\r");
    terminal.expect("status 130");
    terminal.press("exit 3\r");
    assert_eq!(terminal.wait(), 3);
    assert!(terminal.is_as_before());
    assert_eq!(container.inspect()["status"], "running");
}

#[test]
fn the_table_of_stats_is_refreshed_until_ctrl_c() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let mut terminal = Terminal::start(STEP11, &["stats"]);
    terminal.expect("MEMORY / LIMIT");
    terminal.expect(&container.name);
    terminal.expect("MEMORY / LIMIT");
    terminal.press("\x03");
    assert_eq!(terminal.wait(), 130);
    assert!(terminal.is_as_before());
    let once = run(STEP11, &["stats"]).stdout;
    assert_eq!(once.matches("MEMORY / LIMIT").count(), 1, "in a pipe");
    assert!(once.lines().all(|line| line.chars().count() <= 80), "{once}");
}
