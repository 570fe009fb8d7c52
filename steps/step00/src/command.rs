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
    fn candidates(&self) -> Vec<OsString> {
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
