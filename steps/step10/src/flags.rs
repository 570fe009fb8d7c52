//! The flags of step10.

use crate::capabilities::{self, Wanted};
use crate::identity::{User, parse_user};
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

    /// Who runs the command, by the image's /etc/passwd [default: root inside]
    #[arg(short, long, value_name = "UID|NAME[:GID|GROUP]")]
    #[arg(value_parser = parse_user)]
    pub user: Option<User>,

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
