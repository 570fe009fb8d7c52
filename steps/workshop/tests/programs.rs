//! What programs are told: `--json`, `--version`, and what completes a line.

use std::process::Command;

use witness::shape;

const PAGE: &str = include_str!("../../../book/src/beyond/json.md");

/// What the companion prints, whatever its status.
fn says(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workshop"));
    let output = witness::output(command.args(arguments));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_keys_are_those_that_the_book_lists() {
    let own = std::process::id().to_string();
    for arguments in [&["doctor"][..], &["peek", &own], &["peek", "--all"]] {
        let section: Vec<&str> = [&["cargo", "workshop"], arguments].concat();
        let section = section.join(" ").replace(&format!(" {own}"), "");
        let json = says(&[arguments, &["--json"]].concat());
        shape::compare(PAGE, &section, &json);
        assert!(json.contains("\n  \"version\": 1"), "{json}");
    }
}

#[test]
fn it_has_a_version_and_so_has_each_command() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(says(&["--version"]), format!("workshop {version}\n"));
    let check = says(&["check", "--version"]);
    assert!(check.ends_with(&format!("{version}\n")), "{check}");
}

#[test]
fn usage_says_what_is_typed() {
    assert!(says(&["--help"]).contains("Usage: cargo workshop [COMMAND]"));
    assert!(says(&["hint", "-h"]).contains("Usage: cargo workshop hint "));
}

#[test]
fn every_shell_can_complete_its_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = says(&["completions", shell]);
        for word in ["doctor", "solution", "--no-vm"] {
            let word = word.trim_start_matches("--");
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = says(&["completions", "bash"]);
    let try_it = format!(
        "{script}\nCOMP_WORDS=(workshop doc) COMP_CWORD=1\n\
         _workshop workshop doc workshop; echo \"${{COMPREPLY[@]}}\""
    );
    let bash = witness::output(
        witness::command("bash").args(["--norc", "-c", &try_it]),
    );
    let answer = String::from_utf8_lossy(&bash.stdout).into_owned();
    assert_eq!(answer, "doctor\n", "{:?}", bash.stderr);
}
