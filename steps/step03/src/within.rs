//! Paths that a stranger has had a hand in: they are followed inside of a
//! root, and never out of it.

use std::os::fd::{AsFd, OwnedFd};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// Opens `path` as if `root` were `/`: openat2(2), RESOLVE_IN_ROOT. Symbolic
/// links and `..` lead nowhere else; what `rules` forbid in addition is an
/// error.
///
/// # Errors
/// ELOOP for a link that is forbidden, and as for open(2).
pub fn open_within<P: NixPath + ?Sized>(
    root: &impl AsFd,
    path: &P,
    flags: OFlag,
    rules: ResolveFlag,
) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(rules | ResolveFlag::RESOLVE_IN_ROOT);
    loop {
        match openat2(root.as_fd(), path, how) {
            // Somebody on this machine has renamed or mounted something while
            // a `..` was followed, and the kernel cannot vouch for the answer
            // (EAGAIN). Ask again.
            Err(Errno::EAGAIN) => {}
            answer => return answer,
        }
    }
}
