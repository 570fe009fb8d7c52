//! Which process is meant: by its number, or by a name.

use std::path::Path;

use anyhow::{Result, anyhow};
use nix::unistd::{geteuid, getpid};
use step00::Advice;
use step11::state;

use super::census::Census;
use crate::bundles;

/// The process that `who` means, and the others that it could mean.
///
/// # Errors
/// Nothing has that name, or only a container that has ended.
pub fn find(who: &str, census: &Census) -> Result<(i32, Vec<i32>)> {
    if let Ok(pid) = who.parse() {
        return Ok((pid, Vec::new()));
    }
    let container = state::read(who).ok().map(|state| state.running());
    if let Some(Ok(process)) = container {
        return Ok((process.pid.as_raw(), Vec::new()));
    }
    let bundle = bundles::find(who);
    if let Some(Ok(process)) = bundle {
        return Ok((process.pid.as_raw(), Vec::new()));
    }
    // The kernel keeps 15 bytes of a name.
    let short =
        who.char_indices().take_while(|(at, c)| at + c.len_utf8() < 16);
    let short: String = short.map(|(_, c)| c).collect();
    let all = census.residents.values();
    let named = all.filter(|resident| resident.name == short);
    // Our own process has a name as well, and is never meant.
    let own = getpid().as_raw();
    let mut found: Vec<i32> =
        named.map(|resident| resident.pid).filter(|&pid| pid != own).collect();
    found.sort_unstable();
    // Of many, take one that lives apart; of those, the oldest.
    found.sort_by_key(|pid| census.apart(&census.residents[pid]).is_empty());
    if found.is_empty() {
        if let Some(Err(ended)) = container.or(bundle) {
            return Err(ended);
        }
        let missing = "no process has this name, and no container";
        // Each user has containers of their own.
        let roots = ["/run/workshop", "/run/step12"];
        let hidden = match roots.iter().any(|root| Path::new(root).exists()) {
            true if !geteuid().is_root() => " of yours (root has some)",
            _ => "",
        };
        return Err(anyhow!("find {who:?}: {missing}{hidden}"))
            .advice("cargo workshop peek --all, or a number that ps shows");
    }
    let first = found.remove(0);
    Ok((first, found))
}
