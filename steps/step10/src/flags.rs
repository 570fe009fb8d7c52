//! The flags of step10.

use crate::capabilities::{self, Wanted};
use crate::rlimits;

/// The flags of this rung.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "step10: the powers of root")]
#[group(skip)]
pub struct Args {
    /// Leave this capability, or ALL; the names are in capabilities(7)
    #[arg(long, value_name = "NAME", value_parser = capabilities::parse)]
    pub cap_add: Vec<Wanted>,

    /// Take this capability away, or ALL
    #[arg(long, value_name = "NAME", value_parser = capabilities::parse)]
    pub cap_drop: Vec<Wanted>,

    /// Who runs the command, in numbers [default: root inside]
    #[arg(short, long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub user: Option<(u32, u32)>,

    /// Let set-user-ID programs give powers (no no_new_privs)
    #[arg(long)]
    pub new_privs: bool,

    /// Leave the machine's files in /proc and /sys as they are
    #[arg(long)]
    pub unmask: bool,

    /// A limit for each process: nofile=1024:4096, core=0 (getrlimit(2))
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    #[arg(value_parser = rlimits::parse)]
    pub rlimit: Vec<rlimits::Limit>,

    /// The AppArmor profile under which the command runs
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,

    /// The SELinux context in which the command runs
    #[arg(long, value_name = "LABEL")]
    pub selinux_label: Option<String>,
}

/// Reads `UID[:GID]`; without GID both are the same number.
pub fn parse_user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| {
        let number = text.parse().ok().filter(|&number| number != u32::MAX);
        number.ok_or("write UID or UID:GID, in numbers")
    };
    Ok((number(uid)?, number(gid)?))
}
