//! Counts that a container has in common with others.
//!
//! Some things are counted for each user, and not for a control group: inotify
//! instances and watches, for one. A user namespace has such counts of its own
//! (namespaces(7), "The /proc/sys/user directory"); but what is made in it
//! counts for its maker as well, in the namespace above. All containers of
//! root share the 128 instances that root may have: so each gets a part.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use step00::proc::own;

/// What is counted, and what part of the machine's limit a container gets.
const COUNTS: [(&str, u64); 2] =
    [("max_inotify_instances", 8), ("max_inotify_watches", 8)];

/// Inside, as root of the new user namespace and with the machine's /proc: the
/// files there are those of the writer's own user namespace.
///
/// # Errors
/// As for write(2). A kernel without a count has no limit to set.
pub fn limit() -> Result<()> {
    for (name, part) in COUNTS {
        let path = format!("/proc/sys/user/{name}");
        let whole = format!("/proc/sys/fs/{}", machines(name));
        let whole = match fs::read_to_string(&whole) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            text => text.with_context(|| format!("read {whole}"))?,
        };
        let whole: u64 = whole.trim().parse().context("read a limit")?;
        let text = (whole / part).max(1).to_string();
        let path = Path::new(&path).strip_prefix("/proc")?;
        own::write(path, &text)?;
    }
    Ok(())
}

/// The machine's own limit has another name: inotify(7).
fn machines(name: &str) -> &'static str {
    match name {
        "max_inotify_instances" => "inotify/max_user_instances",
        _ => "inotify/max_user_watches",
    }
}
