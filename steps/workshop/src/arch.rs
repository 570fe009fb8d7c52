//! Everything in the companion that depends on the processor, one row each.
//!
//! Adding an architecture is adding a row.

use std::env::consts::ARCH;

use anyhow::{Context, Result};

/// One processor family, under the names that others give it.
#[derive(Debug)]
pub struct Architecture {
    /// What Rust calls it.
    pub rust: &'static str,
    /// What image layouts call it: GOARCH, says the OCI image specification.
    pub image: &'static str,
    /// Alpine's own name for it, and the SHA-256 of its root filesystem.
    pub alpine: Option<(&'static str, &'static str)>,
    /// What seccomp calls it: AUDIT_ARCH_* of linux/audit.h.
    pub audit: u32,
}

/// The Alpine release that [`TABLE`] holds the hashes of. Newer is not better
/// here: a learner should get what the chapters were written with.
pub const ALPINE: &str = "3.22.5";

const TABLE: &[Architecture] = &[
    Architecture {
        rust: "x86_64",
        audit: 0xc000_003e,
        image: "amd64",
        alpine: Some((
            "x86_64",
            "4b4daa9fe2fc696c4919c4412a4c3d3e770d8fb70292a004a2c72f5096175282",
        )),
    },
    Architecture {
        rust: "aarch64",
        audit: 0xc000_00b7,
        image: "arm64",
        alpine: Some((
            "aarch64",
            "3fbc6285032ed46821b511292633d7b2a6306a2e254f590e92bdafff56cf2f70",
        )),
    },
    Architecture {
        rust: "x86",
        image: "386",
        alpine: None,
        audit: 0x4000_0003,
    },
];

/// What seccomp calls a processor other than this one.
#[must_use]
pub fn foreign() -> u32 {
    let mut others = TABLE.iter().filter(|row| row.rust != ARCH);
    others.next().map_or(0, |row| row.audit)
}

/// The row of the machine that this binary was built for.
///
/// # Errors
/// There is none.
pub fn here() -> Result<&'static Architecture> {
    let row = TABLE.iter().find(|row| row.rust == ARCH);
    row.with_context(|| {
        format!("find {ARCH} in steps/workshop/src/arch.rs: add a row for it")
    })
}

/// What the levels of x86-64 add, as /proc/cpuinfo calls it (x86-64 psABI,
/// "Micro-Architecture Levels").
const LEVELS: [(&str, &[&str]); 4] = [
    ("v1", &[]),
    ("v2", &["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"]),
    ("v3", &["abm", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"]),
    ("v4", &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
];

/// Does this machine run what was made for a variant of its processor, as
/// image layouts call them? Of what is not known: no.
#[must_use]
pub fn runs_variant(variant: &str) -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    match (variant, ARCH) {
        ("", _) | ("v8", "aarch64") => true,
        (_, "x86_64") => runs_level(variant, &flags),
        _ => false,
    }
}

fn runs_level(level: &str, cpuinfo: &str) -> bool {
    let at = LEVELS.iter().position(|(name, _)| *name == level);
    let flags = cpuinfo.lines().find_map(|l| l.strip_prefix("flags"));
    let flags: Vec<&str> = flags.unwrap_or("").split_whitespace().collect();
    at.is_some_and(|at| {
        let needed = LEVELS[..=at].iter().flat_map(|(_, flags)| *flags);
        needed.into_iter().all(|flag| flags.contains(flag))
    })
}

#[cfg(test)]
mod tests {
    use super::runs_level;

    #[test]
    fn a_level_needs_those_below_it() {
        let v2 = "flags\t: fpu cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3\n";
        let v3 = "flags\t: cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 abm avx2 \
                  bmi1 bmi2 f16c fma movbe\n";
        for (level, old, new) in [
            ("v1", true, true),
            ("v2", true, true),
            ("v3", false, true),
            ("v4", false, false),
            ("v5", false, false),
        ] {
            assert_eq!(runs_level(level, v2), old, "{level}");
            assert_eq!(runs_level(level, v3), new, "{level}");
        }
    }
}
