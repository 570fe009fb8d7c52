//! Programs of the machine: where they are, what they need, and a copy.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::layout::make_directory;

/// Where programs are looked for: PATH, then where they usually are.
pub(super) fn places() -> Vec<PathBuf> {
    let usual = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/busybox";
    let usual = std::env::split_paths(OsStr::new(usual));
    let places = step00::search_path().into_iter().chain(usual);
    // An empty or relative entry means the working directory: not ours to run.
    places.filter(|place| place.is_absolute()).collect()
}

/// The ELF file that `name` stands for; a script would need its interpreter.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let files = places().into_iter().map(|place| place.join(name));
    files.into_iter().find(|file| asks_for_loader(file).is_some())
}

/// Is it an ELF file that needs nothing but the kernel?
pub(super) fn is_static(file: &Path) -> bool {
    asks_for_loader(file) == Some(false)
}

/// Whether the ELF file asks for a dynamic loader; None when it is no ELF
/// file. The kernel's rule (elf(5)): a program header of type PT_INTERP names
/// the program that execve starts in its place, and a file without one needs
/// nothing but the kernel.
fn asks_for_loader(file: &Path) -> Option<bool> {
    let elf = fs::read(file).ok()?;
    let number = |at: usize, width: usize| {
        let mut bytes = elf.get(at..at.checked_add(width)?)?.iter().rev();
        bytes.try_fold(0usize, |sum, byte| {
            Some(sum.checked_mul(256)? + usize::from(*byte))
        })
    };
    // e_phoff, e_phentsize, e_phnum lie elsewhere in 32- and 64-bit headers.
    let (start, size, count) = match elf.get(..5)? {
        b"\x7fELF\x01" => (number(28, 4)?, number(42, 2)?, number(44, 2)?),
        b"\x7fELF\x02" => (number(32, 8)?, number(54, 2)?, number(56, 2)?),
        _ => return None,
    };
    let header = |index: usize| number(start.checked_add(index * size)?, 4);
    let mut kinds = (0..count).map(header);
    Some(kinds.any(|kind| kind == usize::try_from(libc::PT_INTERP).ok()))
}

/// Copies contents only: a setuid bit stays behind, everything is 0755.
pub(super) fn copy(source: &Path, target: &Path) -> Result<()> {
    make_directory(target.parent().unwrap_or(target))?;
    fs::copy(source, target)
        .and_then(|_| {
            fs::set_permissions(target, Permissions::from_mode(0o755))
        })
        .with_context(|| {
            format!("copy {} to {}", source.display(), target.display())
        })
}
