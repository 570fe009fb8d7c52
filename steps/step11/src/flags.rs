//! The flags of step11, and of all the rungs below for its `run`.

mod image;
mod terminal;
pub mod words;

use std::ffi::OsString;

use clap::Arg;
use step00::{Ending, Failure, Result};

use crate::detach::policy::Policy;
use crate::state::State;
use crate::{folder, pod, volume};

pub use terminal::Terminal;

/// What `--hostname` is where nobody gave it: a name that cannot be typed.
const UNNAMED: &str = "\0";

/// All the flags of a container.
#[derive(Debug, clap::Args)]
#[command(mut_arg("network", pod::network), mut_arg("ipc", pod::ipc))]
#[command(mut_arg("hostname", named_like_the_container))]
#[command(mut_arg("volume", volume::flag), arg(pod::pid()))]
#[rustfmt::skip]
#[allow(missing_docs, reason = "each is the rung's own, and described there")]
pub struct Run {
    #[command(flatten)] pub pod: pod::Args,
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
    /// What was typed behind the flags: an image, a command.
    #[arg(skip)] pub typed: Vec<OsString>,
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

    /// Forget it when it ends, log and all [default: until `rm` or `prune`]
    #[arg(long)]
    pub rm: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub terminal: Terminal,

    /// Take off what step08 and step10 put on: filter, masks, lost powers
    #[arg(long)]
    pub privileged: bool,

    /// Start a detached one again when it ends, until `stop`: on-failure,
    /// on-failure:N (so many times), always or unless-stopped. Nobody does
    /// once the machine was switched off
    #[arg(long, value_name = "WHEN", default_value = "no")]
    #[arg(value_parser = Policy::parse)]
    pub restart: Policy,

    /// What it was before, if it is one that is started again.
    #[arg(skip)]
    pub again: Option<State>,
}

/// A host is called by its name, as a container is.
fn named_like_the_container(hostname: Arg) -> Arg {
    hostname.default_value(UNNAMED).hide_default_value(true).help(
        "The name that the machine seems to have [default: the container's]",
    )
}

impl Run {
    /// The flags of the rungs below, as `--privileged` wants them.
    pub fn settle(mut self) -> Run {
        if self.record.privileged {
            self.privileges.cap_add.push(step10::capabilities::Wanted::ALL);
            self.privileges.unmask = true;
            self.privileges.new_privs = true;
            self.seccomp.seccomp = step08::Profile::None;
        }
        self
    }
}

impl Args {
    /// The hostname of a container of this name: the same, unless another one
    /// is asked for.
    pub fn hostname(&self, asked: &step01::Args, name: &str) -> step01::Args {
        let hostname = match &*asked.hostname {
            UNNAMED => name,
            asked => asked,
        };
        step01::Args { hostname: hostname.into() }
    }
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

impl Names {
    /// Does this to each, and prints the names of those with which it went
    /// well.
    ///
    /// # Errors
    /// As below.
    pub fn each(&self, act: impl Fn(&str) -> Result<()>) -> Result<Ending> {
        self.each_silently(|name| {
            act(name)?;
            step00::print(&format!("{name}\n")).map(drop)
        })
    }

    /// Does this to each. What goes wrong with one is no reason to leave out
    /// the others.
    ///
    /// # Errors
    /// All that went wrong, one below the other.
    pub fn each_silently(
        &self,
        act: impl Fn(&str) -> Result<()>,
    ) -> Result<Ending> {
        let errors = self.names.iter().filter_map(|name| act(name).err());
        let failures = errors.map(|error| Failure::from_error(&error));
        let failures: Vec<Failure> = failures.collect();
        let Some(status) = failures.first().map(|first| first.status) else {
            return Ok(Ending::Exited(0));
        };
        let all = failures.into_iter().map(|failure| failure.message);
        let message = all.collect::<Vec<_>>().join("\n");
        Err(Failure { status, message }.into())
    }
}
