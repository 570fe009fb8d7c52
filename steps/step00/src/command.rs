//! What is to be executed: a program, its arguments and its environment, as
//! the kernel wants them.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use nix::errno::Errno;

use crate::failure::{CANNOT_EXECUTE, Failure, NOT_FOUND};

/// What to execute, and with which environment.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments, never empty.
    pub arguments: Vec<OsString>,
    /// The whole environment of the program.
    pub environment: Vec<(OsString, OsString)>,
}

impl Command {
    /// Sets one variable of the environment, replacing an earlier value.
    pub fn set(&mut self, key: &str, value: impl Into<OsString>) {
        self.environment.retain(|(known, _)| known != key);
        self.environment.push((key.into(), value.into()));
    }

    /// Is this variable in its environment?
    pub fn has(&self, key: &str) -> bool {
        self.environment.iter().any(|(known, _)| known == key)
    }

    /// The arguments as C strings: the program's own name comes first.
    pub(crate) fn c_arguments(&self) -> Result<Vec<CString>> {
        self.arguments.iter().map(|text| c_string(text.clone())).collect()
    }

    /// The environment as C strings, `KEY=VALUE`.
    pub(crate) fn c_environment(&self) -> Result<Vec<CString>> {
        let pair = |(key, value): &(OsString, OsString)| {
            let mut pair = key.clone();
            pair.push("=");
            pair.push(value);
            c_string(pair)
        };
        self.environment.iter().map(pair).collect()
    }

    /// The paths at which the program may be, in the order of `PATH`.
    pub(crate) fn c_candidates(&self) -> Result<Vec<CString>> {
        self.candidates().into_iter().map(c_string).collect()
    }

    /// The paths at which the program may be.
    pub fn candidates(&self) -> Vec<OsString> {
        let name = &self.arguments[0];
        // The empty name is no file's, but a folder plus nothing is a folder.
        if name.is_empty() || name.as_encoded_bytes().contains(&b'/') {
            return vec![name.clone()];
        }
        let path = self.environment.iter().find(|(key, _)| key == "PATH");
        // As execvp(3) does: no PATH at all is not the same as an empty one.
        let path =
            path.map_or("/bin:/usr/bin".into(), |(_, value)| value.clone());
        std::env::split_paths(&path)
            .map(|folder| folder.join(name).into_os_string())
            .collect()
    }
}

/// The folders in which this process's own programs are looked for: those of
/// `PATH`, in order.
pub fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// The error for what the kernel answered to the last attempt.
///
/// ENOENT for a file that exists is about the program that it needs: the one
/// after `#!`, or the dynamic loader ld.so(8).
pub(crate) fn cannot_execute(command: &Command, answer: Errno) -> Error {
    let is_there = |path| std::fs::exists(path).unwrap_or(false);
    let is_there = command.candidates().into_iter().any(is_there);
    let why = match (answer, is_there) {
        (Errno::ENOENT, true) => {
            ": it is there, but not the interpreter or loader that it names"
        }
        _ => "",
    };
    let status = match answer {
        Errno::ENOENT => NOT_FOUND,
        _ => CANNOT_EXECUTE,
    };
    let name = command.arguments[0].to_string_lossy();
    Failure { status, message: format!("execute {name}: {answer}{why}") }
        .into()
}

/// The kernel takes strings that end at the first zero byte.
fn c_string(text: OsString) -> Result<CString> {
    CString::new(text.into_vec()).context("an argument holds a zero byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &str, environment: &[(&str, &str)]) -> Command {
        let pair = |&(key, value): &(&str, &str)| (key.into(), value.into());
        let environment = environment.iter().map(pair).collect();
        Command { arguments: vec![name.into(), "two".into()], environment }
    }

    fn texts(strings: Result<Vec<CString>>) -> Vec<String> {
        let text = |it: CString| it.into_string().expect("plain text");
        strings.expect("no zero byte").into_iter().map(text).collect()
    }

    #[test]
    fn a_variable_has_one_value() {
        let mut it = command("a", &[("A", "1"), ("B", "2"), ("A", "3")]);
        it.set("A", "4");
        it.set("C", "");
        assert_eq!(texts(it.c_environment()), ["B=2", "A=4", "C="]);
        assert_eq!(texts(it.c_arguments()), ["a", "two"]);
        it.set("D", "a\0b");
        let error = it.c_environment().expect_err("a zero byte");
        assert!(error.to_string().contains("zero byte"), "{error:#}");
    }

    #[test]
    fn a_name_is_looked_for_in_path_and_a_path_is_not() {
        let found = |name, environment: &[(&str, &str)]| {
            texts(command(name, environment).c_candidates())
        };
        let path = [("A", "x"), ("PATH", "/one:/two")];
        assert_eq!(found("ls", &path), ["/one/ls", "/two/ls"]);
        assert_eq!(found("./ls", &path), ["./ls"]);
        assert_eq!(found("/ls", &path), ["/ls"]);
        assert_eq!(found("", &path), [""]);
        assert_eq!(found("ls", &[]), ["/bin/ls", "/usr/bin/ls"]);
        let own = search_path();
        let path = std::env::var_os("PATH").expect("a test has one");
        assert_eq!(std::env::join_paths(own).expect("a list"), path);
    }

    #[test]
    fn what_the_kernel_answered_decides_the_status() {
        let told = |name, answer| {
            let error = cannot_execute(&command(name, &[]), answer);
            let failure = Failure::from_error(&error);
            (failure.status, failure.message)
        };
        let (status, text) = told("no-such-program", Errno::ENOENT);
        assert_eq!(status, 127);
        assert!(text.starts_with("execute no-such-program: ENOENT"), "{text}");
        assert!(!text.contains("interpreter"), "{text}");
        // The file is there: something that it needs is not.
        let (status, text) = told("/proc/self/exe", Errno::ENOENT);
        assert_eq!(status, 127);
        assert!(text.contains("not the interpreter"), "{text}");
        let (status, text) = told("/proc/self/exe", Errno::EACCES);
        assert_eq!(status, 126);
        assert!(!text.contains("interpreter"), "{text}");
    }
}
