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
