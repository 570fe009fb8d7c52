//! The flags of step08.

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step08: the system calls")]
#[group(skip)]
pub struct Args {
    /// Which system calls the command may make
    #[arg(long, value_enum, value_name = "PROFILE")]
    #[arg(default_value_t = Profile::Default)]
    pub seccomp: Profile,

    /// Print the filter as BPF instructions with names, and exit
    #[arg(long)]
    pub dump_seccomp: bool,
}

/// A choice of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// What ordinary programs need; the rest fails with EPERM
    Default,
    /// All of them: no filter
    None,
}
