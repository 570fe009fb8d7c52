//! `workshop clean`: takes away what the workshop made.
//!
//! It touches only names that the workshop itself gives, only below the target
//! folder, and follows no link out of it. It asks nothing and says each thing
//! that it removed.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use step03::rootfs;

use crate::remove::remove;
use crate::store::{shown, target};

/// Removes it all and goes on past what cannot be removed.
///
/// # Errors
/// Something could not be removed; by then the reason was printed.
pub fn run(out: &mut impl Write) -> Result<()> {
    let mut failed = 0;
    let mut found = 0;
    for path in ours(&target()?)? {
        if path.symlink_metadata().is_err() {
            continue;
        }
        found += 1;
        match remove(&path) {
            Ok(()) => writeln!(out, "removed {}", shown(&path))?,
            Err(error) => {
                failed += 1;
                let _ = writeln!(std::io::stderr(), "workshop: {error:#}");
            }
        }
    }

    // ---- Leftover cgroups are swept here, through step07. ----

    match (found, failed) {
        (0, _) => writeln!(out, "nothing to remove")?,
        (_, 0) => {}
        (_, 1) => bail!("one of {found} could not be removed"),
        (..) => bail!("{failed} of {found} could not be removed"),
    }
    Ok(())
}

/// What the workshop makes below `target`. A half-made root filesystem counts
/// only when its maker is gone.
fn ours(target: &Path) -> Result<Vec<PathBuf>> {
    let root = target.join("rootfs");
    let mut paths = rootfs::abandoned(&root)?;
    paths.extend([root, target.join("images")]);
    Ok(paths)
}
