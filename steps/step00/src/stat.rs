//! What an inode is: stat(2).
//!
//! As nix has it, but with 64 bits for its number and for the size of the file
//! on every processor. A 32-bit program that asks in the old way hears
//! EOVERFLOW of what does not fit into 32 (stat(2), ERRORS).

// What has 32 bits on i686 has 64 here.
#![allow(clippy::unnecessary_cast)]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::time::TimeSpec;

/// A time for futimens(3), in seconds since 1970 and nanoseconds. i686 counts
/// the seconds in 32 bits, which end in January 2038: what is later is then.
pub fn time(seconds: i64, nanoseconds: i64) -> TimeSpec {
    let (first, last) = (libc::time_t::MIN as i64, libc::time_t::MAX as i64);
    let seconds = seconds.clamp(first, last);
    TimeSpec::new(seconds as libc::time_t, nanoseconds as libc::c_long)
}

/// In place of nanoseconds: that time stays as it is (utimensat(2)).
pub const OMIT: i64 = libc::UTIME_OMIT as i64;

/// When its contents were changed, in seconds since 1970.
pub fn changed(found: &FileStat) -> i64 {
    found.st_mtime as i64
}

/// How many bytes everybody, and not only root, may still write where `path`
/// is.
///
/// # Errors
/// As for statvfs(3).
pub fn room<P: ?Sized + NixPath>(path: &P) -> nix::Result<u64> {
    let mut found = MaybeUninit::uninit();
    let answer = path.with_nix_path(|path| {
        // SAFETY: the path ends in a zero byte, and `found` has room for one
        // answer.
        unsafe { libc::statvfs64(path.as_ptr(), found.as_mut_ptr()) }
    })?;
    Errno::result(answer)?;
    // SAFETY: the call succeeded, and so the C library has filled it in.
    let found = unsafe { found.assume_init() };
    Ok(found.f_bavail as u64 * found.f_frsize as u64)
}

/// What the kernel says of an inode.
pub type FileStat = libc::stat64;

/// Of an open file, an O_PATH descriptor too.
///
/// # Errors
/// As for fstat(2).
pub fn fstat(file: impl AsFd) -> nix::Result<FileStat> {
    let mut found = MaybeUninit::uninit();
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, and `found` has room for one answer.
    Errno::result(unsafe { libc::fstat64(file, found.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, and so the C library has filled it in.
    Ok(unsafe { found.assume_init() })
}

/// Of what stands at `path`, which counts from `folder` unless it begins with
/// a slash.
///
/// # Errors
/// As for fstatat(2).
pub fn fstatat<P: ?Sized + NixPath>(
    folder: impl AsFd,
    path: &P,
    flags: AtFlags,
) -> nix::Result<FileStat> {
    let mut found = MaybeUninit::uninit();
    let (folder, flags) = (folder.as_fd().as_raw_fd(), flags.bits());
    let answer = path.with_nix_path(|path| {
        // SAFETY: the path ends in a zero byte, the descriptor is open (or
        // AT_FDCWD), and `found` has room for one answer.
        unsafe {
            libc::fstatat64(folder, path.as_ptr(), found.as_mut_ptr(), flags)
        }
    })?;
    Errno::result(answer)?;
    // SAFETY: the call succeeded, and so the C library has filled it in.
    Ok(unsafe { found.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::OFlag;
    use std::fs::File;

    /// A file of 3 GiB that takes no room.
    const SIZE: i64 = 3 << 30;

    #[test]
    fn a_large_file_and_a_late_time() {
        let name = format!("step00-stat-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::create_new(&path).unwrap();
        file.set_len(SIZE as u64).unwrap();
        let [one, two] = [
            fstat(&file).unwrap(),
            fstatat(nix::fcntl::AT_FDCWD, &path, AtFlags::empty()).unwrap(),
        ];
        assert_eq!([one.st_size, two.st_size], [SIZE, SIZE]);
        assert_eq!(one.st_ino, two.st_ino);
        // The controls: what a program of 32 bits hears otherwise.
        let narrow = cfg!(target_pointer_width = "32");
        assert_eq!(nix::sys::stat::fstat(&file).is_err(), narrow);
        let open = |flags| {
            nix::fcntl::open(&path, flags, nix::sys::stat::Mode::empty())
        };
        // (Who opens it on a tmpfs is not asked for the flag.)
        assert!(narrow || open(OFlag::O_RDONLY).is_ok());
        assert!(open(OFlag::O_LARGEFILE).is_ok());

        // 2100 begins, or on i686 2038 ends.
        let late = 4_102_444_800;
        let told = time(late, 0);
        nix::sys::stat::futimens(&file, &told, &told).unwrap();
        let last = if narrow { i64::from(i32::MAX) } else { late };
        assert_eq!(changed(&fstat(&file).unwrap()), last);
        std::fs::remove_file(&path).unwrap();
        assert!(room("/").unwrap() > 0);
    }
}
