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

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of an ELF file with program headers of these types (elf(5)).
    fn elf(is_wide: bool, kinds: &[u32]) -> Vec<u8> {
        // Where e_phoff, e_phentsize and e_phnum lie, and how wide they are.
        let (class, start, width, size, count) = match is_wide {
            true => (2, 32, 8, 54, 56),
            false => (1, 28, 4, 42, 44),
        };
        let (at, entry) = (80_u8, 24_u8);
        let mut bytes = vec![0; usize::from(at)];
        bytes[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', class]);
        bytes[start] = at;
        // What is behind the field belongs to another one.
        bytes[start + width] = 0xff;
        bytes[size] = entry;
        bytes[count] = kinds.len() as u8;
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([9; 20]);
        }
        bytes
    }

    fn asks(bytes: &[u8]) -> Option<bool> {
        let folder = witness::Folder::new();
        let file = folder.join("program");
        fs::write(&file, bytes).expect("write a file");
        assert_eq!(is_static(&file), asks_for_loader(&file) == Some(false));
        asks_for_loader(&file)
    }

    #[test]
    fn a_header_says_whether_a_loader_is_wanted() {
        let (load, interp) = (1, libc::PT_INTERP);
        for is_wide in [true, false] {
            for (kinds, answer) in [
                (&[][..], false),
                (&[load], false),
                (&[interp], true),
                (&[load, interp], true),
                (&[load, load, load, interp], true),
                (&[load, load, load, load], false),
            ] {
                let found = asks(&elf(is_wide, kinds));
                assert_eq!(found, Some(answer), "{is_wide} {kinds:?}");
            }
        }
        // What is none, or is cut off, is not read as one.
        let whole = elf(true, &[load, interp]);
        assert_eq!(asks(b"#!/bin/sh"), None);
        assert_eq!(asks(&whole[..40]), None);
        assert_eq!(asks(&whole[..4]), None);
        let mut other = whole.clone();
        other[4] = 3;
        assert_eq!(asks(&other), None, "no class of that number");
        assert_eq!(asks_for_loader(Path::new("/no/such/file")), None);
    }

    #[test]
    fn only_absolute_places_are_looked_in() {
        let all = places();
        assert!(all.iter().all(|place| place.is_absolute()), "{all:?}");
        for usual in ["/usr/bin", "/sbin", "/usr/lib/busybox"] {
            assert!(all.contains(&usual.into()), "{usual}");
        }
        let sh = find_program("sh").expect("every machine has one");
        assert!(asks_for_loader(&sh).is_some());
        assert_eq!(find_program("no-such-program"), None);
    }

    #[test]
    fn a_copy_can_be_run_and_is_nobodys() {
        let folder = witness::Folder::new();
        let (source, target) = (folder.join("a"), folder.join("deep/b"));
        fs::write(&source, "words").expect("write a file");
        fs::set_permissions(&source, Permissions::from_mode(0o4700))
            .expect("make it set-user-ID");
        copy(&source, &target).expect("copy it");
        assert_eq!(fs::read(&target).expect("read it"), b"words");
        let mode = fs::metadata(&target).expect("look").permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }
}
