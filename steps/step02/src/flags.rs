//! The flags of step02.

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step02: the processes")]
#[group(skip)]
pub struct Args {
    /// Let a tiny init be PID 1: it reaps zombies and hands on signals
    #[arg(long)]
    pub init: bool,
}
