//! Fetches a file with curl(1), which knows the learner's proxy, certificates
//! and netrc better than a library built into this program would.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Writes to `path` what `url` answers. The caller must check what that is,
/// which is why plain http is allowed.
///
/// # Errors
/// curl is not installed or could not fetch it; its own words are passed on.
pub fn fetch(url: &str, path: &Path) -> Result<()> {
    let output = Command::new("curl")
        // --fail: an error page is an error, not the file.
        .args(["--fail", "--location", "--silent", "--show-error"])
        .args(["--proto", "=https,http,file", "--connect-timeout", "30"])
        .arg("--output")
        .arg(path)
        .args(["--url", url])
        .output()
        .with_context(|| {
            format!(
                "run curl to fetch {url}: install it, or fetch the file by \
                 hand and name it in place of the address"
            )
        })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("fetch {url}: {}", words.trim());
    }
    Ok(())
}
