//! The flags of step09.

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step09: the last blindfolds")]
#[group(skip)]
pub struct Args {
    /// Shared memory, semaphores and queues of its own, or the machine's
    #[arg(long, value_enum, default_value_t = Kind::Private)]
    pub ipc: Kind,

    /// Let the uptime inside differ by so many seconds (`date` does not)
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub boottime_offset: Option<i64>,
}

/// Whose System V and POSIX objects the process sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Its own
    Private,
    /// The machine's, /dev/shm included: no blindfold at all
    Host,
    /// Those of a namespace in which the process is born: no word for it here,
    /// it takes a rung that knows other containers.
    #[value(skip)]
    Joined,
}
