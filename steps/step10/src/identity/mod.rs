//! Who runs the command: `--user`, and what belongs to that user.

mod accounts;

use std::ffi::OsString;
use std::sync::OnceLock;

use anyhow::Result;

use accounts::{account, group, groups_of, number, unknown_user};

/// `UID|NAME[:GID|GROUP]`, as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: String,
    group: Option<String>,
}

/// The same in numbers.
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The groups beside.
    pub(crate) groups: Vec<u32>,
}

/// Reads `UID|NAME[:GID|GROUP]`. Whether there is one of that name only the
/// image knows.
///
/// # Errors
/// When a part is missing, or is a number that there is not.
pub fn parse_user(text: &str) -> Result<User, String> {
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    for part in [Some(name), group].into_iter().flatten() {
        if part.is_empty() || part.contains(':') {
            return Err("write UID or NAME, or UID:GID, NAME:GROUP".into());
        }
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && number(part).is_none() {
            return Err(format!("there is no number {part}"));
        }
    }
    Ok(User { name: name.into(), group: group.map(str::to_owned) })
}

impl User {
    /// Asks the image's files. As Docker has it: with a group there are no
    /// others beside; without one the user has its own, and those that name
    /// it; a number that no line has is in group 0.
    ///
    /// # Errors
    /// When there is no such name.
    pub(crate) fn find(&self) -> Result<Identity> {
        let (uid, given) = (number(&self.name), self.group.as_deref());
        if let (Some(uid), Some(gid)) = (uid, given.and_then(number)) {
            return Ok(Identity { uid, gid, groups: Vec::new() });
        }
        let account = account(&self.name)?;
        let found = account.as_ref().map(|account| account.uid).or(uid);
        let uid = found.ok_or_else(|| unknown_user(&self.name))?;
        let (gid, groups) = match (given, &account) {
            (Some(name), _) => {
                let gid = number(name).map_or_else(|| group(name), Ok);
                (gid?, Vec::new())
            }
            (None, Some(account)) => (account.gid, groups_of(&account.name)?),
            (None, None) => (0, Vec::new()),
        };
        Ok(Identity { uid, gid, groups })
    }
}

/// Of this process's user, once [`remember_home`] has looked for it.
static HOME: OnceLock<OsString> = OnceLock::new();

/// Inside, as long as root can read the image's files: looks for the home of
/// the user, root if there is none given. What cannot be read has no homes.
pub fn remember_home(user: Option<&User>) {
    let name = user.map_or("0", |user| &user.name);
    let account = account(name).ok().flatten();
    let _ = HOME.set(account.map_or("/".into(), |account| account.home));
}

/// Inside, last of all: `HOME` for who has not been given another one. Like
/// Docker, and unlike login(1), this is the one variable that depends on the
/// user: there is no `USER` and no `LOGNAME`.
pub fn home() -> OsString {
    HOME.get().cloned().unwrap_or_else(|| "/".into())
}
