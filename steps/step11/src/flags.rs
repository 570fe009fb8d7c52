//! The flags of step11, and of all the rungs below for its `run`.

use std::ffi::OsString;

use anyhow::{Error, Result};
use step00::failure::NOT_FOUND;
use step00::{Advice, Ending, Failure};
use step04::imported;

use crate::{folder, pod};

/// All the flags of a container.
#[derive(Debug, clap::Args)]
#[command(mut_arg("network", pod::network), mut_arg("ipc", pod::ipc))]
#[command(arg(pod::pid()))]
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

impl Run {
    /// Fills in what an image says of itself, where the flags say nothing. It
    /// is named by a flag, or by the first word of the command: who has an
    /// image of that name means the image.
    ///
    /// # Errors
    /// As [`step04::imported::find`], and when it names a user that cannot be.
    pub fn with_defaults(mut self) -> Result<Run> {
        self.typed = self.process.command.clone();
        let is_open =
            self.overlay.image.is_empty() && self.root.rootfs.is_none();
        let first = self.typed.first().and_then(|word| word.to_str());
        if let Some(name) = first.filter(|_| is_open) {
            if imported::find(name)?.is_some() {
                self.overlay.image.push(name.into());
                self.process.command.remove(0);
            }
        }
        let Run { process, root, overlay, .. } = &mut self;
        step04::defaults(overlay, process, root)?;
        step10::default_user(&mut self.privileges, &self.overlay)?;
        Ok(self)
    }

    /// Whoever means an image that is not here gets the answer that there is
    /// no such program.
    pub fn explain(&self, result: Result<Ending>) -> Result<Ending> {
        let word = self.typed.first().and_then(|word| word.to_str());
        let word = word.filter(|_| self.overlay.image.is_empty());
        match (result, word) {
            (Err(error), Some(word)) if is_missing(&error) => Err(error)
                .advice(format!(
                    "if an image was meant: cargo workshop rootfs \
                     docker://{word} fetches it (step11 images lists yours)"
                )),
            (result, _) => result,
        }
    }
}

fn is_missing(error: &Error) -> bool {
    Failure::from_error(error).status == NOT_FOUND
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
