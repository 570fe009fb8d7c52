//! What `cargo workshop check 0` asks step00's functions: the right answers.
//! (The wrong ones are those of exercise/sabotages.)

use witness::{Machine, output};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");

fn ask(question: &str) -> (Option<i32>, String) {
    let mut command = witness::command(STEP00);
    // Without a question it would execute this.
    command.args(["-q", "--", "echo", "not asked"]);
    if !question.is_empty() {
        command.env("WORKSHOP_PROBE", question);
    }
    let output = output(&mut command);
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text.trim_end().to_owned())
}

#[test]
fn each_question_is_answered() {
    let _machine = Machine::new();
    for (question, answer) in [
        ("", "not asked"),
        ("fork", "a child, which its parent knows"),
        ("flags", "apart"),
        ("refusal", "EINVAL: Invalid argument"),
        ("cgroup", "EBADF: Bad file number"),
        ("wait", "status 7"),
        ("whose", "status 4"),
        ("interrupted", "status 7"),
        ("once", "ECHILD, with the process's number"),
    ] {
        assert_eq!(ask(question), (Some(0), answer.into()), "{question}");
    }
    assert_eq!(ask("weather"), (Some(125), String::new()));
}
