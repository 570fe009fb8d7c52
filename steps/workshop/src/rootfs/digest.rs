//! SHA-256: the name of a download and of every blob in an image.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::progress::Progress;

/// Succeeds when the contents of `path` have this SHA-256, given as 64
/// hexadecimal digits in either case.
///
/// # Errors
/// They have a different one, or `path` cannot be read.
pub fn check(path: &Path, expected: &str) -> Result<()> {
    let mut hasher = Sha256::new();
    File::open(path)
        .and_then(|file| {
            let length = Some(file.metadata()?.len());
            let progress = Progress::bytes("checking", length);
            io::copy(&mut progress.of(file), &mut hasher)
        })
        .with_context(|| format!("read {}", path.display()))?;
    let digits =
        hasher.finalize().into_iter().map(|byte| format!("{byte:02x}"));
    let actual: String = digits.collect();
    ensure!(
        actual.eq_ignore_ascii_case(expected),
        "SHA-256 is {actual}\n     but must be {expected}"
    );
    Ok(())
}

/// True for 64 hexadecimal digits.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
