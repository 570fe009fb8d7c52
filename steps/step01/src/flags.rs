//! The flags of step01.

use crate::uts;

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step01: the hostname")]
#[group(skip)]
pub struct Args {
    /// The name that the machine seems to have, 64 bytes at most
    #[arg(long, value_name = "NAME", default_value = "box")]
    #[arg(value_parser = uts::parse_hostname)]
    pub hostname: String,
}
