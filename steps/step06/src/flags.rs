//! The flags of step06.

use nix::unistd::geteuid;

use crate::mapping::Mapping;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step06: the users")]
#[group(skip)]
pub struct Args {
    /// Users inside and outside; repeat it for more ranges
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT")]
    #[arg(value_parser = Mapping::parse)]
    pub uid_map: Vec<Mapping>,

    /// The same for groups
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT")]
    #[arg(value_parser = Mapping::parse)]
    pub gid_map: Vec<Mapping>,

    /// Do without the machine's root altogether (and without a cable)
    #[arg(long)]
    pub rootless: bool,
}

impl Args {
    /// Is there no root to help, by choice or by necessity?
    pub fn is_rootless(&self) -> bool {
        self.rootless || !geteuid().is_root()
    }
}
