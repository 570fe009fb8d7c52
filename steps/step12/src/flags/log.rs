//! How an error reaches the one who has called: a person, who reads stderr, or
//! an engine, which reads the last line of `--log`.
//!
//! Engines look for words in it. Docker tells "no such file or directory" (127)
//! from "permission denied" (126) and from all else (125), in small letters,
//! as Go writes them.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Error, Result};
use clap::ValueEnum;
use humantime::format_rfc3339_nanos;
use nix::errno::Errno;
use serde::Serialize;
use step00::Failure;

/// Where errors are written beside stderr.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Write errors to this file as well
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// In which form
    #[arg(long, value_enum, value_name = "FORM")]
    #[arg(default_value_t = Form::Text)]
    pub log_format: Form,

    /// Say more: on which CPUs `exec` starts a process
    #[arg(long)]
    pub debug: bool,
}

/// The form of a line in that file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Words
    Text,
    /// JSON: level, msg, time
    Json,
}

/// A line of the file, as logrus writes it.
#[derive(Serialize)]
struct Line<'a> {
    level: &'a str,
    msg: &'a str,
    time: &'a str,
}

impl Args {
    /// Writes an error down, and returns it in the words that engines know.
    pub fn error(&self, error: &Error) -> Error {
        let failure = Failure::from_error(error);
        let message = on_one_line(&in_small_letters(&failure.message));
        self.write("error", &message);
        // Who has no log file looks for this word in what is printed.
        let message = format!("error: {message}");
        Failure { status: 1, message }.into()
    }

    /// Writes down what is no error of the command's. Of `create`, stderr is
    /// the container's: who has a log file finds it there alone.
    pub fn warning(&self, text: &str) {
        self.write("warning", text);
        if self.log.is_none() {
            step00::epilogue(text);
        }
    }

    /// The same, if there is something.
    pub fn warn(&self, text: Option<String>) {
        text.iter().for_each(|text| self.warning(text));
    }

    /// With --debug: what is going on.
    pub fn debug(&self, text: &str) {
        if self.debug {
            self.write("debug", text);
            if self.log.is_none() {
                step00::epilogue(text);
            }
        }
    }

    fn write(&self, level: &str, message: &str) {
        let Some(path) = &self.log else { return };
        let time = format_rfc3339_nanos(SystemTime::now()).to_string();
        let line = Line { level, msg: message, time: &time };
        let text = match self.log_format {
            Form::Json => serde_json::to_string(&line).unwrap_or_default(),
            Form::Text => {
                format!("time={time:?} level={level} msg={message:?}")
            }
        };
        let written = || -> Result<()> {
            let mut file =
                File::options().append(true).create(true).open(path)?;
            Ok(writeln!(file, "{text}")?)
        };
        // stderr has it as well.
        let _ = written();
    }
}

/// An engine reads one line; advice of the rungs below is on a second one. And
/// what config.json names may have any character.
fn on_one_line(message: &str) -> String {
    message.replace("\n  try: ", "; try: ").replace('\n', "\\n")
}

/// What the kernel has answered as Go writes it: "no such file or directory",
/// and neither "ENOENT: No such file or directory" nor "(os error 2)".
fn in_small_letters(message: &str) -> String {
    let mut text = message.to_owned();
    for number in 1..134 {
        let errno = Errno::from_raw(number);
        if errno == Errno::UnknownErrno {
            continue;
        }
        let words = errno.desc();
        let small = words.to_lowercase();
        text = text.replace(&errno.to_string(), &small);
        text = text.replace(&format!("{words} (os error {number})"), &small);
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn engines_find_their_words() {
        let small = |errno: Errno| {
            let error: Result<()> = Err(errno).context("execute /bin/x");
            in_small_letters(&format!("{:#}", error.expect_err("one")))
        };
        assert_eq!(
            small(Errno::ENOENT),
            "execute /bin/x: no such file or directory"
        );
        assert_eq!(small(Errno::EACCES), "execute /bin/x: permission denied");
        assert_eq!(small(Errno::EISDIR), "execute /bin/x: is a directory");
        let io = std::io::Error::from_raw_os_error(libc::ENOENT).to_string();
        assert_eq!(in_small_letters(&io), "no such file or directory");
        // What is not the kernel's stays as it was written.
        let path = "open /No such file or directory";
        assert_eq!(in_small_letters(path), path);
    }
}
