//! The flags of step07.

use crate::quantities::{Bytes, Cpus, Pids};

/// The flags of this rung.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step07: the limits")]
#[group(skip)]
pub struct Args {
    /// Memory in bytes, K, M, G, without swap; or max [default: 256M]
    #[arg(short, long, value_name = "BYTES")]
    #[arg(value_parser = Bytes::parse_memory)]
    pub memory: Option<Bytes>,

    /// CPU time per time, 1 is one CPU; or max [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = Cpus::parse)]
    pub cpus: Option<Cpus>,

    /// Processes and threads at once; or max [default: 128]
    #[arg(long, value_name = "NUMBER", value_parser = Pids::parse)]
    #[arg(alias = "pids-limit")]
    pub pids: Option<Pids>,

    /// Bytes read per second, from the disks of --upper and --volume
    #[arg(long, value_name = "BYTES/S", value_parser = Bytes::parse)]
    pub io_read: Option<Bytes>,

    /// Bytes written per second, to the same disks
    #[arg(long, value_name = "BYTES/S", value_parser = Bytes::parse)]
    pub io_write: Option<Bytes>,

    /// On which CPUs it may run: 0, 0-3, 0,2
    #[arg(long, value_name = "LIST", alias = "cpuset-cpus")]
    pub cpuset: Option<String>,
}

impl Args {
    pub(crate) fn asks_for_limits(&self) -> bool {
        self.memory.is_some()
            || self.cpus.is_some()
            || self.pids.is_some()
            || self.asks_for_io()
            || self.cpuset.is_some()
    }

    pub(crate) fn asks_for_io(&self) -> bool {
        self.io_read.is_some() || self.io_write.is_some()
    }

    /// The controllers that the limits need.
    pub(crate) fn controllers(&self) -> Vec<&'static str> {
        let mut controllers = vec!["memory", "cpu", "pids"];
        controllers.extend(self.asks_for_io().then_some("io"));
        controllers.extend(self.cpuset.is_some().then_some("cpuset"));
        controllers
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// The flags as they are read from a command line.
    pub(crate) fn args(flags: &[&str]) -> Args {
        let words = ["step07"].iter().chain(flags);
        Command::try_parse_from(words).expect("flags of step07").args
    }

    #[test]
    fn each_flag_alone_asks_for_a_limit_and_its_controller() {
        let default = ["memory", "cpu", "pids"];
        assert!(!args(&[]).asks_for_limits(), "the control");
        assert_eq!(args(&[]).controllers(), default);
        for (flag, value, more) in [
            ("--memory", "64M", None),
            ("--cpus", "1", None),
            ("--pids", "9", None),
            ("--io-read", "1M", Some("io")),
            ("--io-write", "1M", Some("io")),
            ("--cpuset", "0", Some("cpuset")),
        ] {
            let args = args(&[flag, value]);
            assert!(args.asks_for_limits(), "{flag}");
            assert_eq!(args.asks_for_io(), more == Some("io"), "{flag}");
            let all: Vec<_> = default.into_iter().chain(more).collect();
            assert_eq!(args.controllers(), all, "{flag}");
        }
    }
}
