//! A command that is given up before its end. Alone in its program: the stage
//! forks, and wants no other thread that is at work.

use step00::{Args, Stage};
use witness::{Machine, process};

#[test]
fn who_lets_go_of_a_running_command_ends_it() {
    let _machine = Machine::new();
    let command = ["sleep", "1000"].map(Into::into).to_vec();
    let stage = Stage::new("step00", &Args { quiet: true, command });
    let running = stage.start(|_| Ok(()), |_| Ok(()), &[]);
    let running = running.expect("start a command");
    let pid = running.process.pid.as_raw();
    assert_eq!(process::name(pid), "sleep", "the control: it runs");
    drop(running);
    // Not even a zombie is left.
    assert_eq!(process::state(pid), None);
}
