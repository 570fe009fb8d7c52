//! Who a user is: numbers, groups and home, by the image's own files.
//!
//! The kernel knows numbers and no names. Names are a matter of two text files
//! (passwd(5), group(5)), and those of the image need not agree with the
//! machine's. Whoever made the image wrote them, or whoever is root in a
//! container that runs: they are read inside of the root, if they are plain
//! files, up to a size; and a line that makes no sense is none.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use step00::Advice;
use step00::stat::fstat;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// No more of a file is read, in bytes: there is room for ten thousand users.
const LARGEST: u64 = 1 << 20;

/// Nor is a line that is longer than this, in bytes.
const LONGEST: usize = 64 << 10;

/// A line of passwd(5), as far as it is of use here.
pub(crate) struct Account {
    pub(crate) name: Vec<u8>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: OsString,
}

/// A line of group(5).
struct Group {
    name: Vec<u8>,
    gid: u32,
    members: Vec<Vec<u8>>,
}

/// The first account that has this name, or this number.
///
/// # Errors
/// When the file is there and cannot be read.
pub(crate) fn account(who: &str) -> Result<Option<Account>> {
    let mut accounts = lines(PASSWD)?.into_iter().filter_map(read_account);
    Ok(accounts.find(|account| {
        account.name == who.as_bytes() || Some(account.uid) == number(who)
    }))
}

/// The number of a group that is called so.
///
/// # Errors
/// When there is none.
pub(crate) fn group(name: &str) -> Result<u32> {
    let mut groups = lines(GROUP)?.into_iter().filter_map(read_group);
    let found = groups.find(|group| group.name == name.as_bytes());
    found.map(|group| group.gid).ok_or_else(|| unknown("group", name, GROUP))
}

/// The groups that name this user as a member.
///
/// # Errors
/// As for [`account`].
pub(crate) fn groups_of(user: &[u8]) -> Result<Vec<u32>> {
    let groups = lines(GROUP)?.into_iter().filter_map(read_group);
    let its = groups.filter(|it| it.members.iter().any(|name| name == user));
    Ok(its.map(|group| group.gid).collect())
}

/// The error for a name that is in neither of the files.
pub(crate) fn unknown_user(name: &str) -> anyhow::Error {
    unknown("user", name, PASSWD)
}

fn unknown(what: &str, name: &str, file: &str) -> anyhow::Error {
    let error = anyhow!("find the {what} {name}: not in {file} inside");
    let advice = "a number, or a name of the image's: --user UID|NAME";
    match Err::<(), _>(error).advice(advice) {
        Err(error) => error,
        Ok(()) => unreachable!("an error stays one"),
    }
}

/// Reads a number as these files and `--user` have it: digits and no sign. The
/// last one of 32 bits means "no user" to the kernel.
pub(crate) fn number(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|&number| number != u32::MAX);
    number.filter(|_| is_number)
}

fn read_account(line: Vec<u8>) -> Option<Account> {
    let mut fields = line.split(|&byte| byte == b':');
    let name = fields.next().filter(|name| !name.is_empty())?.to_vec();
    let mut fields = fields.skip(1);
    let (uid, gid) = (in_field(fields.next()?)?, in_field(fields.next()?)?);
    let home = fields.nth(1).unwrap_or_default();
    // What is no path is no home; and a zero byte would end the variable.
    let is_path = home.starts_with(b"/") && !home.contains(&0);
    let home = if is_path { home } else { b"/" };
    Some(Account { name, uid, gid, home: OsString::from_vec(home.into()) })
}

fn read_group(line: Vec<u8>) -> Option<Group> {
    let mut fields = line.split(|&byte| byte == b':');
    let name = fields.next().filter(|name| !name.is_empty())?.to_vec();
    let gid = in_field(fields.nth(1)?)?;
    let members = fields.next().unwrap_or_default().split(|&b| b == b',');
    let members = members.map(|name| name.trim_ascii().to_vec()).collect();
    Some(Group { name, gid, members })
}

fn in_field(bytes: &[u8]) -> Option<u32> {
    number(std::str::from_utf8(bytes).ok()?)
}

/// The lines of a file, if there is one.
fn lines(path: &str) -> Result<Vec<Vec<u8>>> {
    let file = match open(path) {
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        file => file.with_context(|| format!("read {path} inside"))?,
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("read {path} inside"))?;
    ensure!(
        bytes.len() as u64 <= LARGEST,
        "read {path} inside: it is larger than {LARGEST} bytes"
    );
    let lines = bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| line.len() <= LONGEST);
    Ok(lines.filter(|it| !it.starts_with(b"#")).map(<[u8]>::to_vec).collect())
}

fn is_missing(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<Errno>();
    cause.is_some_and(|it| [Errno::ENOENT, Errno::ENOTDIR].contains(it))
}

/// Opens a plain file of the container, whose root is this process's by now.
/// To open a device or a pipe is to do something, and so it is looked at first
/// (O_PATH); by no magic link, which may lead to a file of the launcher's.
fn open(path: &str) -> Result<File> {
    let open = |flags| -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(AT_FDCWD, path, how)
    };
    let is_plain = |file: &OwnedFd| -> nix::Result<bool> {
        Ok(fstat(file)?.st_mode & libc::S_IFMT == libc::S_IFREG)
    };
    ensure!(is_plain(&open(OFlag::O_PATH)?)?, "it is no plain file");
    let file = open(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)?;
    ensure!(is_plain(&file)?, "it is no plain file any more");
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(line: &str) -> Option<(u32, u32, String)> {
        let it = read_account(line.into())?;
        Some((it.uid, it.gid, it.home.into_string().expect("plain text")))
    }

    #[test]
    fn a_line_that_makes_no_sense_is_none() {
        let right = Some((33, 34, "/var/www".into()));
        assert_eq!(home("www:x:33:34:a, b:/var/www:/bin/sh"), right);
        assert_eq!(home("www:x:33:34"), Some((33, 34, "/".into())));
        for no_path in ["www:x:33:34::", "w::33:34::var", "w::33:34::/\0:"] {
            assert_eq!(home(no_path), Some((33, 34, "/".into())));
        }
        for wrong in [
            "",
            "www",
            "www:x:33",
            ":x:33:34::/:",
            "+::::::",
            "w:x:+3:4::/:",
            "w:x:-3:4::/:",
            "w:x:3:4294967295::/:",
            "w:x:4294967296:4::/:",
            "w:x: 3:4::/:",
            "w:x::4::/:",
        ] {
            assert_eq!(home(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_group_has_members_or_none() {
        let members =
            |line: &str| read_group(line.into()).map(|it| it.members);
        let two = vec![b"ann".to_vec(), b"bob".to_vec()];
        assert_eq!(members("audio:x:29:ann,bob"), Some(two));
        assert_eq!(members("audio:x:29"), Some(vec![vec![]]));
        for wrong in ["audio:x", "audio:x::ann", ":x:29:ann", "audio:x:a:"] {
            assert_eq!(members(wrong), None, "{wrong}");
        }
    }
}
