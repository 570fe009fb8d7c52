//! A new filesystem that is mounted nowhere yet: a descriptor, as in
//! [`crate::tree`].
//!
//! mount(2) makes a filesystem and hangs it into a folder in one call. These
//! three do the first half alone: fsopen(2) says of which kind, fsconfig(2)
//! says each option, fsmount(2) gives a mount that is in no directory. So its
//! attributes are set before anybody can see it, and whatever happens to the
//! path in the meantime, the descriptor is this very mount.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use anyhow::{Context, Error, Result, ensure};
use nix::errno::Errno;

/// Commands of fsconfig(2).
const SET_FLAG: libc::c_uint = 0;
const SET_STRING: libc::c_uint = 1;
const CREATE: libc::c_uint = 6;
const RECONFIGURE: libc::c_uint = 7;

/// FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC, and of fspick(2).
const CLOEXEC: libc::c_uint = 1;
const FSPICK_EMPTY_PATH: libc::c_uint = 8;

/// fsconfig(2) takes no longer value, in bytes.
pub const LONGEST: usize = 255;

/// Makes one of this kind (`tmpfs`, `proc` …), with options `WORD` and
/// `KEY=VALUE`. `source` is the device, or any word.
///
/// # Errors
/// ENODEV when the kernel has no such kind, EINVAL for an option that this one
/// does not know, EPERM where a user namespace may not mount it; with what the
/// kernel wrote about it, if it did.
pub fn detached(
    kind: &str,
    source: &str,
    options: &[&str],
) -> Result<OwnedFd> {
    let kind = CString::new(kind).context("name a filesystem")?;
    // SAFETY: the string lives until the call returns.
    let context = owned(unsafe {
        libc::syscall(libc::SYS_fsopen, kind.as_ptr(), CLOEXEC)
    })?;
    let fill = || -> Result<OwnedFd> {
        set(&context, "source", Some(source))?;
        set_all(&context, options)?;
        config(&context, CREATE, ptr::null(), ptr::null())?;
        // SAFETY: plain numbers; no mount attributes.
        Ok(owned(unsafe {
            libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), CLOEXEC, 0)
        })?)
    };
    fill().map_err(|error| explain(error, &context))
}

/// Gives the filesystem that is mounted there other options. The attributes of
/// the mount stay. (mount(2) with MS_REMOUNT would set both.)
///
/// # Errors
/// EINVAL for an option that cannot be changed or is not known; with what the
/// kernel wrote about it, if it did.
pub fn reconfigure(mount: BorrowedFd<'_>, options: &[&str]) -> Result<()> {
    let flags = CLOEXEC | FSPICK_EMPTY_PATH;
    let number = mount.as_raw_fd();
    // SAFETY: the descriptor is open, the empty string is a constant.
    let context = owned(unsafe {
        libc::syscall(libc::SYS_fspick, number, c"".as_ptr(), flags)
    })?;
    set_all(&context, options)
        .and_then(|()| {
            Ok(config(&context, RECONFIGURE, ptr::null(), ptr::null())?)
        })
        .map_err(|error| explain(error, &context))
}

fn set_all(context: &OwnedFd, options: &[&str]) -> Result<()> {
    for option in options {
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (*option, None),
        };
        set(context, key, value)
            .with_context(|| format!("set the option {option:?}"))?;
    }
    Ok(())
}

fn explain(error: Error, context: &OwnedFd) -> Error {
    match messages(context) {
        text if text.is_empty() => error,
        text => error.context(text),
    }
}

fn set(context: &OwnedFd, key: &str, value: Option<&str>) -> Result<()> {
    let key = CString::new(key).context("name an option")?;
    let Some(value) = value else {
        return Ok(config(context, SET_FLAG, key.as_ptr(), ptr::null())?);
    };
    ensure!(
        value.len() <= LONGEST,
        "its value is longer than {LONGEST} bytes: fsconfig(2)"
    );
    let value = CString::new(value).context("give an option a value")?;
    Ok(config(context, SET_STRING, key.as_ptr(), value.as_ptr())?)
}

/// `key` and `value` are strings that the caller holds, or null.
fn config(
    context: &OwnedFd,
    command: libc::c_uint,
    key: *const libc::c_char,
    value: *const libc::c_char,
) -> nix::Result<()> {
    let number = context.as_raw_fd();
    // SAFETY: each of the two is null, where the command takes none, or a
    // string of the caller's, which lives until the call returns.
    let answer = unsafe {
        libc::syscall(libc::SYS_fsconfig, number, command, key, value, 0)
    };
    Errno::result(answer).map(drop)
}

/// What the kernel has written about it: "e tmpfs: Unknown parameter 'x'", one
/// message for each read(2) (fsopen(2), "The filesystem context").
fn messages(context: &OwnedFd) -> String {
    let Ok(copy) = context.try_clone() else { return String::new() };
    let mut file = File::from(copy);
    let mut found: Vec<String> = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length) = file.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        match text.trim().get(2..) {
            Some(text) => found.push(text.to_owned()),
            None => break,
        }
    }
    found.join("; ")
}

/// Takes a descriptor that a call has just made.
fn owned(answer: libc::c_long) -> nix::Result<OwnedFd> {
    let descriptor = Errno::result(answer)?;
    // SAFETY: the kernel has made it for us alone, and this is its one owner.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Attributes, change};
    use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
    use nix::sys::statvfs::FsFlags;
    use std::os::fd::AsFd;

    /// As all tests of this rung it needs root.
    #[test]
    fn a_filesystem_is_there_before_it_is_anywhere() {
        let options = ["size=64k", "mode=700"];
        let made = detached("tmpfs", "here", &options).expect("a tmpfs");
        let found = fstatfs(&made).expect("look at it");
        assert_eq!(found.filesystem_type(), TMPFS_MAGIC);
        assert_eq!(found.blocks() * found.block_size() as u64, 64 << 10);
    }

    #[test]
    fn its_options_can_be_changed_and_its_attributes_stay() {
        let made = detached("tmpfs", "here", &["size=64k"]).expect("a tmpfs");
        change(made.as_fd(), Attributes::READ_ONLY).expect("read-only");
        reconfigure(made.as_fd(), &["size=128k"]).expect("a larger one");
        let found = fstatfs(&made).expect("look at it");
        assert_eq!(found.blocks() * found.block_size() as u64, 128 << 10);
        assert!(found.flags().contains(FsFlags::ST_RDONLY));
        reconfigure(made.as_fd(), &["wrong"]).expect_err("not known");
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        let fails = |kind, options: &[&str]| {
            let error = detached(kind, "none", options).expect_err("made");
            let errno = error.downcast_ref::<Errno>().copied();
            (errno, format!("{error:#}"))
        };
        let (errno, _) = fails("no-such-kind", &[]);
        assert_eq!(errno, Some(Errno::ENODEV));
        let (errno, text) = fails("tmpfs", &["no-such-option"]);
        assert_eq!(errno, Some(Errno::EINVAL));
        assert!(text.contains("\"no-such-option\""), "{text}");
        assert!(text.contains("Unknown parameter"), "{text}");
        let long = format!("size={}", "1".repeat(LONGEST + 1));
        assert!(fails("tmpfs", &[&long]).1.contains("longer than 255"));
        assert_eq!(fails("tmpfs", &["zero\0"]).0, None);
    }
}
