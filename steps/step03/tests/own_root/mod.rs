//! A root filesystem of a test's own, which it may spoil.

use witness::Folder;

/// Copies the workshop's to `folder/root`, and makes that first if need be.
pub fn own_root(folder: &Folder) -> String {
    let shared = step03::rootfs::default_path().expect("a target folder");
    step03::rootfs::ensure(&shared).expect("make the root filesystem");
    let copy = folder.text("root");
    let mut cp = witness::command("cp");
    let status = cp.arg("-a").arg(&shared).arg(&copy).status();
    assert!(status.expect("start cp").success(), "copy {shared:?}");
    copy
}
