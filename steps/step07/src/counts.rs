//! Counts that a container has in common with others.
//!
//! Some things are counted for each user, and not for a control group: inotify
//! instances and watches, for one. A user namespace has such counts of its own
//! (namespaces(7), "The /proc/sys/user directory"); but what is made in it
//! counts for its maker as well, in the namespace above. All containers of
//! root share the 128 instances that root may have: so each gets a part.

use std::fs;
use std::io::{self, ErrorKind};
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
        let text = part_of(fs::read_to_string(&whole), part)
            .with_context(|| format!("read {whole}"))?;
        if let Some(text) = text {
            let path = Path::new(&path).strip_prefix("/proc")?;
            own::write(path, &text)?;
        }
    }
    Ok(())
}

/// A part of the limit that was read, and never none; nothing where the kernel
/// has no such file.
fn part_of(limit: io::Result<String>, part: u64) -> Result<Option<String>> {
    let whole = match limit {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let whole: u64 = whole.trim().parse()?;
    Ok(Some((whole / part).max(1).to_string()))
}

/// The machine's own limit has another name: inotify(7).
fn machines(name: &str) -> &'static str {
    match name {
        "max_inotify_instances" => "inotify/max_user_instances",
        _ => "inotify/max_user_watches",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_never_none_and_no_limit_has_no_part() {
        let part = |text: &str| part_of(Ok(text.into()), 8).expect("a part");
        let parts = ["128\n", "8", "7\n", "0"].map(part);
        let right = ["16", "1", "1", "1"].map(|it| Some(it.to_owned()));
        assert_eq!(parts, right);
        assert!(part_of(Ok("many".into()), 8).is_err());
        let failed = |kind: ErrorKind| part_of(Err(kind.into()), 8);
        let none = failed(ErrorKind::NotFound).expect("no limit");
        assert_eq!(none, None);
        assert!(failed(ErrorKind::PermissionDenied).is_err(), "the control");
    }
}
