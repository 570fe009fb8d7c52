//! Capabilities, limits and personality, by the names that config.json has.

use anyhow::{Error, Result, bail, ensure};
use step10::capabilities::Set;
use step10::rlimits::{self, Limit};
use step10::sets::Sets;

use crate::config::process::{Capabilities, Personality, Rlimit};

/// Names that are none, or a newer kernel's.
pub(super) fn unknown(wanted: Option<&Capabilities>) -> Vec<String> {
    let Some(wanted) = wanted else { return Vec::new() };
    let sets = [
        &wanted.bounding,
        &wanted.effective,
        &wanted.permitted,
        &wanted.inheritable,
        &wanted.ambient,
    ];
    let mut names: Vec<String> = sets.into_iter().flatten().cloned().collect();
    names.retain(|name| capability(name).is_none());
    names.sort();
    names.dedup();
    names
}

fn capability(name: &str) -> Option<Set> {
    let name = name.to_uppercase();
    Set::of(name.strip_prefix("CAP_").unwrap_or(&name))
}

/// The five sets. A name that is not known is left out, and what is left out
/// is not given.
pub(super) fn sets(wanted: Option<&Capabilities>) -> Sets {
    let Some(wanted) = wanted else { return Sets::default() };
    let set = |names: &[String]| {
        let known = names.iter().filter_map(|name| capability(name));
        known.fold(Set::NONE, |all, one| all | one)
    };
    Sets {
        bounding: set(&wanted.bounding),
        effective: set(&wanted.effective),
        permitted: set(&wanted.permitted),
        inheritable: set(&wanted.inheritable),
        ambient: set(&wanted.ambient),
    }
}

/// # Errors
/// For a name that is none or comes twice, and a soft limit above the hard
/// one.
pub(super) fn limits(wanted: &[Rlimit]) -> Result<Vec<Limit>> {
    let mut limits = Vec::new();
    for (at, one) in wanted.iter().enumerate() {
        let kind = &one.kind;
        ensure!(
            !wanted[..at].iter().any(|other| other.kind == *kind),
            "process.rlimits has {kind:?} twice"
        );
        let name = kind.strip_prefix("RLIMIT_").unwrap_or(kind);
        let text =
            format!("{}={}:{}", name.to_lowercase(), one.soft, one.hard);
        let limit = rlimits::parse(&text).map_err(Error::msg);
        limits.push(limit.map_err(|error| {
            error.context(format!("process.rlimits: {kind:?}"))
        })?);
    }
    Ok(limits)
}

/// # Errors
/// For a name that is none, and for flags: the specification has none yet.
pub(super) fn persona(wanted: &Personality) -> Result<libc::c_ulong> {
    if !wanted.flags.is_empty() {
        bail!("linux.personality.flags is not supported");
    }
    Ok(match wanted.domain.as_str() {
        "LINUX" => 0,
        // PER_LINUX32 of <linux/personality.h>.
        "LINUX32" => 8,
        other => bail!("linux.personality.domain: there is no {other:?}"),
    })
}
