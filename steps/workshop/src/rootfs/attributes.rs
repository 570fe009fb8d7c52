//! What a file has beside its contents: owner, times, permissions, extended
//! attributes. Some of it only root can give, and some nobody should take from
//! a stranger; what is left out is counted.
//!
//! Kernel: chown(2) takes set-user-ID bits and capabilities away, and so the
//! order is owner, attributes, mode, time. User namespaces: EINVAL for a
//! number that is not mapped (user_namespaces(7)).

use std::ffi::{CString, OsStr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FchmodatFlags, UtimensatFlags, fchmodat};
use nix::sys::stat::{Mode, fchmod, futimens, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat, getegid, geteuid};

use super::tar::{Attributes, Entry, Time};

/// Permissions that only mean something together with the owner.
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;

/// Owner and group of a file.
pub type Owner = (u32, u32);

/// What the archive said, and has not got.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeftOut {
    /// Device nodes: a container gets its own `/dev`.
    pub devices: u64,
    /// Owners other than root, where the importer is not root.
    pub owners: u64,
    /// Set-user-ID and set-group-ID bits of those.
    pub bits: u64,
    /// Extended attributes, access lists, labels.
    pub attributes: u64,
}

/// Who imports decides what can be kept.
#[derive(Clone, Copy, Debug)]
pub struct Importer {
    uid: u32,
    gid: u32,
}

/// What an entry can have of what it says.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// `None` where it is the importer's in any case.
    pub owner: Option<Owner>,
    /// Without the bits that would now mean somebody else.
    pub mode: u32,
    /// When it was changed.
    pub time: Time,
}

impl Importer {
    /// This process.
    #[must_use]
    pub fn me() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// What can be kept of an entry; the rest is counted.
    #[must_use]
    pub fn keep(self, entry: &Entry, left_out: &mut LeftOut) -> Kept {
        let (uid, gid) = entry.owner;
        let mut kept =
            Kept { owner: None, mode: entry.mode, time: entry.time };
        // The highest number means "leave it" to chown(2).
        let number = |id| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
        if let (0, Some(uid), Some(gid)) = (self.uid, number(uid), number(gid))
        {
            kept.owner = Some((uid, gid));
            return kept;
        }
        // Root inside is whoever imports: these two are the same.
        let is_same = |id, own: u32| id == 0 || id == i64::from(own);
        kept.drop_bits(
            (!is_same(uid, self.uid), !is_same(gid, self.gid)),
            left_out,
        );
        kept
    }
}

impl Kept {
    /// Owner and group (true: which of them) cannot be kept.
    fn drop_bits(&mut self, lost: (bool, bool), left_out: &mut LeftOut) {
        let user = if lost.0 { self.mode & SET_USER_ID } else { 0 };
        let group = if lost.1 { self.mode & SET_GROUP_ID } else { 0 };
        left_out.owners += u64::from(lost.0 || lost.1);
        left_out.bits += u64::from((user | group).count_ones());
        self.mode &= !(user | group);
    }

    /// What came of chown(2). A number that this user namespace does not have
    /// is as good as an owner that cannot be given.
    fn owned(
        &mut self,
        answer: nix::Result<()>,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        match answer {
            Err(Errno::EINVAL | Errno::EPERM) => {
                let (uid, gid) = self.owner.take().unwrap_or_default();
                self.drop_bits((uid != 0, gid != 0), left_out);
                Ok(())
            }
            answer => answer.context("give it to its owner"),
        }
    }

    /// Puts it all on an open file or folder.
    ///
    /// # Errors
    /// Those of chown(2) and chmod(2).
    pub fn put_on(
        mut self,
        file: BorrowedFd<'_>,
        attributes: &Attributes,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        if let Some((uid, gid)) = self.owner {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let answer = fchown(file, Some(uid), Some(gid));
            self.owned(answer, left_out)?;
        }
        for (name, value) in attributes {
            let is_set = self.may_set(name) && set(file, name, value);
            left_out.attributes += u64::from(!is_set);
        }
        // After the last write, which takes a set-user-ID bit away.
        fchmod(file, Mode::from_bits_truncate(self.mode))
            .context("chmod it")?;
        // Some filesystems end in 2038. Do not stop for a wrong time.
        let time = self.time();
        let _ = futimens(file, &time, &time);
        Ok(())
    }

    /// Puts it on a link or a fifo, which are not opened.
    ///
    /// # Errors
    /// Those of chown(2) and chmod(2).
    pub fn put_on_name(
        mut self,
        folder: &OwnedFd,
        name: &OsStr,
        has_mode: bool,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        if let Some((uid, gid)) = self.owner {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            let answer = fchownat(folder, name, Some(uid), Some(gid), flags);
            self.owned(answer, left_out)?;
        }
        if has_mode {
            // It is a fifo, made just now in a folder that only we can enter.
            let mode = Mode::from_bits_truncate(self.mode);
            fchmodat(folder, name, mode, FchmodatFlags::FollowSymlink)
                .context("chmod it")?;
        }
        let (time, flags) = (self.time(), UtimensatFlags::NoFollowSymlink);
        let _ = utimensat(folder, name, &time, &time, flags);
        Ok(())
    }

    /// Attributes of the person's own programs, and capabilities as far as
    /// they go with the owner. Not `trusted.overlay.…` or `user.overlay.…`,
    /// with which a layer could speak to overlayfs; not labels, which belong
    /// to the machine's policy.
    fn may_set(&self, name: &[u8]) -> bool {
        match name {
            b"security.capability" => self.owner.is_some(),
            _ => {
                name.starts_with(b"user.")
                    && !name.starts_with(b"user.overlay.")
            }
        }
    }

    fn time(&self) -> TimeSpec {
        step00::stat::time(self.time.seconds, self.time.nanoseconds)
    }
}

/// False where the filesystem has no such thing (`EOPNOTSUPP`) or the kernel
/// does not want it (`EPERM`, `EINVAL`).
fn set(file: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> bool {
    let Ok(name) = CString::new(name) else { return false };
    // SAFETY: the name ends with a zero byte, and the length is the value's.
    let answer = unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    answer == 0
}
