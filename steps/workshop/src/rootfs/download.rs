//! Fetches a file with curl(1), which knows the learner's proxy, certificates
//! and netrc better than a library built into this program would.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;

/// Writes to `path` what `url` answers. The caller must check what that is,
/// which is why plain http is allowed.
///
/// # Errors
/// curl is not installed or could not fetch it; its own words are passed on.
pub fn fetch(url: &str, path: &Path) -> Result<()> {
    let mut curl = Command::new("curl")
        // --fail: an error page is an error, not the file.
        .args(["--fail", "--location", "--silent", "--show-error"])
        .args(["--proto", "=https,http,file", "--connect-timeout", "30"])
        .arg("--output")
        .arg(path)
        .args(["--url", url])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!(
                "run curl to fetch {url}: install it, or fetch the file by \
                 hand and name it in place of the address"
            )
        })?;
    let mut progress = Progress::bytes("fetching", None);
    // curl says little on stderr: it never waits for that to be read.
    while curl.try_wait().context("wait for curl")?.is_none() {
        progress.to(path.metadata().map_or(0, |file| file.len()));
        thread::sleep(Duration::from_millis(100));
    }
    let output = curl.wait_with_output().context("wait for curl")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("fetch {url}: {}", words.trim());
    }
    Ok(())
}
