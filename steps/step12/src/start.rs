//! `step12 start`, `run`: the second half, and both at once.

use anyhow::{Context, Result, anyhow, ensure};
use step00::Ending;
use step00::folder::Folder;

use crate::create::create;
use crate::end::{destroy, is_unknown};
use crate::flags::{Create, Host};
use crate::gate;
use crate::launcher::hooks;
use crate::state::{Container, Status};

/// Makes a container that waits at its gate, and leaves it there.
///
/// # Errors
/// As for [`create`].
pub fn make(name: &'static str, host: &Host, args: &Create) -> Result<Ending> {
    create(name, host, args, false)?.let_go();
    Ok(Ending::Exited(0))
}

/// Opens the gate of a container, and waits until it is through.
///
/// # Errors
/// When it does not wait there; when its program could not be executed; when a
/// hook has failed, and then the container is gone.
pub fn start(host: &Host, id: &str) -> Result<Ending> {
    let container = Container::open(&host.root()?, id)?;
    let state = container.state()?;
    let folder = &container.folder;
    let opened = match state.status(folder)? {
        Status::Created(_) => gate::look(folder.descriptor())?
            .context("nobody waits at the gate")
            .and_then(gate::open),
        Status::Stopped => {
            Err(anyhow!("cannot start a container that has stopped"))
        }
        status => {
            Err(anyhow!("cannot start an already {} container", status.word()))
        }
    };
    // If the process has said something itself, that is the better answer.
    hear(folder)?;
    opened?;
    let config = container.config()?;
    let running = state.describe_now(&container.folder)?;
    let hooks = hooks::run("poststart", &config.hooks.poststart, &running);
    if let Err(error) = hooks {
        destroy(host, container, &state)?;
        return Err(error);
    }
    Ok(Ending::Exited(0))
}

/// Why the process did not get to its program, if it has said so.
fn hear(folder: &Folder) -> Result<()> {
    let words = folder.read("words").unwrap_or_default();
    ensure!(words.is_empty(), "{}", words.trim_end());
    Ok(())
}

/// The flags of `run`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Run {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub create: Create,

    /// Leave the container running
    #[arg(short, long)]
    pub detach: bool,

    /// Do not forget the container when it ends
    #[arg(long)]
    pub keep: bool,

    /// Accepted, as BuildKit passes it
    #[arg(long, hide = true)]
    pub no_subreaper: bool,
}

/// `create`, `start`, and unless it is detached, the wait for its end.
///
/// # Errors
/// Those of both.
pub fn run(name: &'static str, host: &Host, args: &Run) -> Result<Ending> {
    let id = &args.create.id;
    let running = create(name, host, &args.create, !args.detach)?;
    let mut forgotten = Forgotten { host, id, is_kept: false };
    start(host, id)?;
    if args.detach {
        running.let_go();
        forgotten.is_kept = true;
        return Ok(Ending::Exited(0));
    }
    let ending = running.until_end()?.ending;
    forgotten.is_kept = args.keep;
    Ok(ending)
}

/// A container that is gone when this is dropped, however `run` comes to its
/// end.
struct Forgotten<'a> {
    host: &'a Host,
    id: &'a str,
    is_kept: bool,
}

impl Forgotten<'_> {
    fn forget(&self) -> Result<()> {
        let container = Container::open(&self.host.root()?, self.id)?;
        let state = container.state()?;
        destroy(self.host, container, &state)
    }
}

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // A poststart hook that has failed has taken it away already.
        match self.forget() {
            Err(error) if !is_unknown(&error) => {
                self.host.log.warning(&format!("{error:#}"));
            }
            _ => {}
        }
    }
}
