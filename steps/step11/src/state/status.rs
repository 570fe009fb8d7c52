//! What can be said of a container at this moment.

use step00::Process;

use super::Ended;

/// What can be said of a container now.
#[derive(Debug)]
pub enum Status {
    /// Its first process runs, and this is it.
    Running(Process),
    /// The same, and it is frozen.
    Paused(Process),
    /// It has ended, and its launcher has recorded how.
    Exited(Ended),
    /// The same, and its launcher is about to start it again.
    Restarting(Ended),
    /// It has ended, and its launcher is about to record how.
    Ending,
    /// It has ended, and its launcher was gone before: how it ended is not
    /// known.
    Lost,
    /// The kernel gave no answer, and why.
    Unknown(String),
}

impl Status {
    /// The word for it, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Running(_) => "running",
            Status::Paused(_) => "paused",
            Status::Exited(_) => "exited",
            Status::Restarting(_) => "restarting",
            Status::Ending => "ending",
            Status::Lost => "lost",
            Status::Unknown(_) => "unknown",
        }
    }

    /// Its first process, as long as it has one.
    pub fn process(&self) -> Option<&Process> {
        match self {
            Status::Running(process) | Status::Paused(process) => {
                Some(process)
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Running(_) => f.write_str("running"),
            Status::Paused(_) => f.write_str("paused"),
            Status::Exited(ended) if ended.oom_killed => {
                write!(f, "exited ({}, out of memory)", ended.status)
            }
            Status::Exited(ended) => write!(f, "exited ({})", ended.status),
            Status::Restarting(ended) => {
                write!(f, "about to be started again ({})", ended.status)
            }
            Status::Ending => f.write_str("ending"),
            Status::Lost => f.write_str("lost (its launcher was killed)"),
            Status::Unknown(why) => write!(f, "unknown ({why})"),
        }
    }
}
