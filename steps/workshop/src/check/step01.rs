//! step01: a hostname of its own.

use anyhow::{Context, Result};
use nix::unistd::gethostname;

use super::{Attempt, Causes, outside};

const CAUSES: &Causes = &[(
    &["EPERM"],
    "sethostname(2) takes root in the namespace that is renamed",
)];

/// Looks at it.
pub fn look(attempt: &mut Attempt) -> Result<()> {
    let before = own_name()?;
    let flags = ["--hostname", "checked"];
    let Some(running) = attempt.start(&flags, "", CAUSES)? else {
        return Ok(());
    };
    attempt.found(
        "it is in a UTS namespace of its own",
        outside::is_apart(running.pid, "uts"),
        "the launcher's",
        "another one",
        "main.rs sets CLONE_NEWUTS: was it changed?",
    )?;
    attempt.same(
        "in there, the machine is called as --hostname says",
        outside::within(running.pid, "uts", own_name)?,
        "checked",
        "`set_hostname` returns without having called sethostname(2), or \
         with another name",
    )?;
    attempt.same(
        "out here it is called as before",
        own_name()?,
        before,
        "the name was set outside of the namespace",
    )?;
    drop(running);
    lengths(attempt)
}

/// A command line is refused with status 2, before anything is made.
fn lengths(attempt: &mut Attempt) -> Result<()> {
    let (longest, longer) = ("a".repeat(64), "a".repeat(65));
    let wide = "ü".repeat(33);
    let bytes = "`parse_hostname` counts letters: `chars().count()` says 33, \
                 but the kernel counts bytes, and so does `len`";
    for (what, name, status, mistake) in [
        (
            "64 bytes are allowed",
            &*longest,
            0,
            "the range ends before LONGEST: `1..=LONGEST` takes it in",
        ),
        (
            "65 bytes are refused on the command line",
            &longer,
            2,
            "`parse_hostname` lets pass what is longer than LONGEST, and \
             then the kernel refuses it: EINVAL",
        ),
        ("33 letters of two bytes are refused as well", &wide, 2, bytes),
        (
            "and no letter at all is",
            "",
            2,
            "the kernel would take an empty name: `parse_hostname` must not",
        ),
    ] {
        let report = attempt.run(&["--hostname", name], "true")?;
        attempt.ended(what, &report, status, CAUSES, mistake)?;
    }
    Ok(())
}

fn own_name() -> Result<String> {
    let name = gethostname().context("ask for the hostname")?;
    Ok(name.to_string_lossy().into_owned())
}
