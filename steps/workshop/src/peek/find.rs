//! Which process is meant: by its number, or by a name.

use std::fs;

use anyhow::{Result, anyhow};
use nix::unistd::getpid;
use step00::Advice;

use super::census::Census;

/// The process that `who` means, and others that it could have meant.
///
/// # Errors
/// Nobody has that name.
pub fn find(who: &str, census: &Census) -> Result<(i32, Vec<i32>)> {
    if let Ok(pid) = who.parse() {
        return Ok((pid, Vec::new()));
    }
    if let Some(pid) = container(who) {
        return Ok((pid, Vec::new()));
    }
    // The kernel keeps 15 bytes of a name.
    let short =
        who.char_indices().take_while(|(at, c)| at + c.len_utf8() < 16);
    let short: String = short.map(|(_, c)| c).collect();
    let all = census.residents.values();
    let named = all.filter(|resident| resident.name == short);
    // This process bears a name as well, and nobody means it.
    let own = getpid().as_raw();
    let mut found: Vec<i32> =
        named.map(|resident| resident.pid).filter(|&pid| pid != own).collect();
    found.sort_unstable();
    // Of many it is rather the one that lives apart, and of those the oldest.
    found.sort_by_key(|pid| census.apart(&census.residents[pid]).is_empty());
    if found.is_empty() {
        let missing = "no process has this name, and no container";
        return Err(anyhow!("find {who:?}: {missing}"))
            .advice("cargo workshop peek --all, or a number that ps shows");
    }
    let first = found.remove(0);
    Ok((first, found))
}

/// A container that step11 has started keeps its state in /run. Whatever is
/// not there, or not to be read, is no container of that name.
fn container(name: &str) -> Option<i32> {
    if name.contains('/') || name.starts_with('.') {
        return None;
    }
    let state = fs::read(format!("/run/workshop/{name}/state.json")).ok()?;
    let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
    state.get("pid")?.as_i64()?.try_into().ok()
}
