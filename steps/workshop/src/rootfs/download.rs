//! Fetches a file with curl(1), which knows the learner's proxy, certificates
//! and netrc better than a library built into this program would.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::budget::Budget;
use crate::progress::Progress;

/// Writes to `path` what `url` answers. The caller must check what that is,
/// which is why plain http is allowed.
///
/// # Errors
/// curl is not installed or could not fetch it, and its own words are passed
/// on; or it is more than the budget allows.
pub fn fetch(url: &str, path: &Path, budget: &Budget) -> Result<()> {
    let mut file = File::create(path).context("make a file for it")?;
    let mut curl = Command::new("curl")
        // --fail: an error page is an error, not the file.
        .args(["--fail", "--location", "--silent", "--show-error"])
        .args(["--proto", "=https,http,file", "--connect-timeout", "30"])
        .args(["--url", url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!(
                "run curl to fetch {url}: install it, or fetch the file by \
                 hand and name it in place of the address"
            )
        })?;
    let answer = curl.stdout.take().context("no pipe to curl")?;
    let mut answer = Progress::bytes("fetching", None).of(answer);
    let copied = budget.copy(&mut answer, &mut file);
    // Closed, so that a curl with more to say ends.
    drop(answer);
    let output = curl.wait_with_output().context("wait for curl")?;
    copied.with_context(|| format!("fetch {url}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("fetch {url}: {}", words.trim());
    }
    Ok(())
}
