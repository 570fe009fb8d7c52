//! The flags of step11, and of all the rungs below for its `run`.

use crate::folder;

/// All the flags of a container.
#[derive(Debug, clap::Args)]
#[rustfmt::skip]
#[allow(missing_docs, reason = "each is the rung's own, and described there")]
pub struct Run {
    #[command(flatten)] pub process: step00::Args,
    #[command(flatten)] pub uts: step01::Args,
    #[command(flatten)] pub pid: step02::Args,
    #[command(flatten)] pub root: step03::Args,
    #[command(flatten)] pub overlay: step04::Args,
    #[command(flatten)] pub network: step05::Args,
    #[command(flatten)] pub user: step06::Args,
    #[command(flatten)] pub cgroup: step07::Args,
    #[command(flatten)] pub seccomp: step08::Args,
    #[command(flatten)] pub ipc: step09::Args,
    #[command(flatten)] pub privileges: step10::Args,
    #[command(flatten)] pub record: Args,
}

/// The flags of this rung, for `run`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step11: the record")]
#[group(skip)]
pub struct Args {
    /// What it is called [default: box1, box2 …]
    #[arg(long, value_parser = folder::parse_name)]
    pub name: Option<String>,

    /// Leave it running, without a terminal; its output is kept in a log
    #[arg(short, long)]
    pub detach: bool,

    /// Forget a detached one when it ends, log and all
    #[arg(long)]
    pub rm: bool,
}

/// Which containers a command is about.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Names {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// The containers, by name
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}
