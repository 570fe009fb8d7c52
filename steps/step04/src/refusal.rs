//! Why the kernel may refuse an overlay, and where one needs another option.

use anyhow::Result;
use nix::errno::Errno;
use step00::Proc;

/// The likely reason, by the kernel's answer to the mount.
pub(crate) fn why_not(errno: Errno) -> &'static str {
    match errno {
        Errno::ELOOP => "name each layer once, and none inside another",
        Errno::ENODEV => "modprobe overlay, this kernel has no overlayfs yet",
        Errno::EINVAL => {
            "an --upper on ext4, xfs, btrfs or tmpfs, not on an overlay; \
             `dmesg | tail` tells what the kernel did not like"
        }
        _ => "see mount(2) and the kernel document overlayfs.rst",
    }
}

/// Is this process in a user namespace of its own?
pub(crate) fn is_in_user_namespace() -> Result<bool> {
    Ok(!Proc::own().uid_map()?.is_the_machines())
}
