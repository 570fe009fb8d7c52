//! The files of a group: what is to be written to them, and the reading.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Error, Result};
use nix::errno::Errno;

/// One text for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Which field of linux.resources asks for it.
    pub(crate) field: String,
    /// The file's name.
    pub(crate) file: String,
    /// What is written, in one write(2).
    pub(crate) text: String,
    /// What is to be done on a kernel without such a file.
    pub(crate) missing: Missing,
}

/// What is to be done on a kernel without such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The limit cannot be had.
    Error,
    /// Nothing is lost.
    Ignore,
    /// Another file has the same purpose.
    Instead(Box<Setting>),
}

impl Setting {
    /// A text, without which the container is not what was asked for.
    pub(crate) fn new(
        field: impl Into<String>,
        file: impl Into<String>,
        text: impl ToString,
    ) -> Setting {
        Setting {
            field: field.into(),
            file: file.into(),
            text: text.to_string(),
            missing: Missing::Error,
        }
    }

    /// The same, if the kernel has such a file.
    pub(crate) fn or_nothing(mut self) -> Setting {
        self.missing = Missing::Ignore;
        self
    }

    /// The same, or another where the kernel has no such file.
    pub(crate) fn or(mut self, other: Setting) -> Setting {
        self.missing = Missing::Instead(Box::new(other));
        self
    }

    fn write(&self, group: &Path) -> io::Result<()> {
        match write(group, &self.file, &self.text) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match &self.missing {
                    Missing::Ignore if group.exists() => Ok(()),
                    Missing::Instead(other) => other.write(group),
                    _ => Err(error),
                }
            }
            done => done,
        }
    }

    /// The kernel's answer, and to what.
    fn explain(&self, group: &Path, error: io::Error) -> Error {
        let path = group.join(&self.file);
        let missing = error.kind() == ErrorKind::NotFound && group.exists();
        let error = Error::from(error);
        let error = match missing {
            true => {
                let name = self.file.split('.').next().unwrap_or_default();
                error.context(format!("there is no controller {name} for it"))
            }
            false => error,
        };
        error.context(format!(
            "linux.resources.{}: write {:?} to {}",
            self.field,
            self.text,
            path.display()
        ))
    }
}

/// Writes all of them.
///
/// The kernel checks a number against its neighbour's: a quota against its
/// period, memory against memory and swap. Which of two new numbers is
/// accepted first depends on the two old ones. So what is refused (EINVAL) is
/// tried once more, after the others.
///
/// # Errors
/// The kernel's answer, with the field that asked for it.
pub(crate) fn write_all(group: &Path, settings: &[Setting]) -> Result<()> {
    let mut refused = Vec::new();
    for setting in settings {
        match setting.write(group) {
            Err(error) if is(&error, Errno::EINVAL) => refused.push(setting),
            done => done.map_err(|error| setting.explain(group, error))?,
        }
    }
    for setting in refused {
        let done = setting.write(group);
        done.map_err(|error| setting.explain(group, error))?;
    }
    Ok(())
}

/// Writes to a file that the kernel has made. (A file that it has not made
/// cannot be made by us: to ask for that would be answered by EPERM.)
pub(crate) fn write(group: &Path, file: &str, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(group.join(file))?;
    // In one piece: each write(2) is a command to the kernel, which takes a
    // page of text and no more.
    match file.write(text.as_bytes())? {
        taken if taken < text.len() => Err(Errno::E2BIG.into()),
        _ => Ok(()),
    }
}

/// Reads one of the kernel's files, without the newline at its end.
///
/// # Errors
/// ENOENT when there is no such file or group, ENODEV when the group was
/// removed meanwhile.
pub(crate) fn read(group: &Path, file: &str) -> Result<String> {
    let path = group.join(file);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim_end().to_owned())
}

/// The same, or nothing.
pub(crate) fn read_if_any(group: &Path, file: &str) -> Option<String> {
    read(group, file).ok()
}

/// The number in a file; `max` is the largest.
pub(crate) fn number(group: &Path, file: &str) -> Option<u64> {
    match read_if_any(group, file)?.as_str() {
        "max" => Some(u64::MAX),
        text => text.parse().ok(),
    }
}

/// The number after a key, in a file of many lines.
pub(crate) fn keyed(group: &Path, file: &str, key: &str) -> Option<u64> {
    let text = read_if_any(group, file)?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == key)?.1.trim().parse().ok()
}

/// Is this the error?
pub(crate) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}

#[cfg(test)]
mod tests {
    use witness::Folder;

    use super::*;

    #[test]
    fn a_missing_file_is_an_error_or_not() {
        let group = Folder::new();
        fs::write(group.join("there.max"), "").expect("make a file");
        let lost = Setting::new("memory.limit", "memory.max", 7);
        let here = Setting::new("other", "there.max", 8);
        let error = write_all(group.path(), std::slice::from_ref(&lost));
        let error = format!("{:#}", error.expect_err("there is none"));
        assert!(
            error.starts_with("linux.resources.memory.limit: write \"7\"")
        );
        assert!(error.contains("controller memory"), "{error}");
        let all = [lost.clone().or_nothing(), lost.or(here)];
        write_all(group.path(), &all).expect("write them");
        assert_eq!(number(group.path(), "there.max"), Some(8));
        // The control: no group at all is always an error.
        assert!(write_all(&group.join("gone"), &all[..1]).is_err());
    }

    #[test]
    fn numbers_are_read_as_the_kernel_writes_them() {
        let group = Folder::new();
        let put = |name: &str, text| {
            fs::write(group.join(name), text).expect("write it");
        };
        put("pids.max", "max\n");
        put("memory.events", "low 0\noom_kill 3\n");
        assert_eq!(number(group.path(), "pids.max"), Some(u64::MAX));
        let keyed = |key| keyed(group.path(), "memory.events", key);
        assert_eq!((keyed("oom_kill"), keyed("oom")), (Some(3), None));
        assert_eq!(number(group.path(), "memory.events"), None);
    }
}
