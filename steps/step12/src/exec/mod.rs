//! `step12 exec`: step11's exec, for a process that config.json's words
//! describe.

mod flags;

use std::convert::Infallible;
use std::os::fd::AsFd;

use anyhow::{Context, Result, bail};
use nix::sched::setns;
use nix::unistd::Pid;
use step00::{Ending, Gate, Process as Made};
use step11::exec::hide;
use step11::{enter, namespaces};

use crate::config::Config;
use crate::flags::Host;
use crate::launcher::{Agent, Console, descriptors, look, through};
use crate::mounts;
use crate::process::Attributes;
use crate::process::cpus;

use crate::state::{self, Status};
pub use flags::Args;

/// Runs one more process in a container.
///
/// # Errors
/// When the container does not run, and as for `create`.
pub fn exec(name: &'static str, host: &Host, args: &Args) -> Result<Ending> {
    descriptors::keep_back(true)?;
    let (state, folder) = state::find(&host.root()?, &args.id)?;
    let status = state.status(&folder)?;
    let target = match &status {
        Status::Stopped | Status::Creating => {
            bail!("cannot exec in a stopped container")
        }
        Status::Paused(_) if !args.ignore_paused => bail!(
            "cannot exec in a paused container (use --ignore-paused to \
             override)"
        ),
        status => status.process().context("find its process")?,
    };
    let config = Config::parse(
        folder.read("config.json").context("read its copy")?.as_bytes(),
    )?;
    let process = args.process(&config)?;
    let stays = !args.detach;
    let console = Console::find(&args.caller, &process, stays)?;
    let agent = Agent::new(&config)?;
    let attributes = Attributes::read(&config, &process, &host.log)?;
    let command = process.command();

    let mut stage = through::stage(name, &command);
    stage.own_terminal = console.is_ours();
    let apart = namespaces::between(target.pid)?;
    let before = namespaces::before_birth(apart);
    let root = state.mounted.as_ref();
    let root = root.map(|it| mounts::hold_root(it, target)).transpose()?;
    let join_first = || {
        // Others inside can see it before it is one of them; and its memory
        // is a copy of ours (CVE-2016-9962).
        hide()?;
        if before.is_empty() {
            return Ok(());
        }
        setns(target.pidfd.as_fd(), before).context("join the PID namespace")
    };
    stage.hooks.before_birth = Some(&join_first);
    if args.detach {
        stage.hooks.before_exec.push(through::outlive_launcher);
    }
    let last = |command: &step00::Command| -> Result<Infallible> {
        agent.filter_last(process.no_new_privileges)?;
        step00::process::execute(command)
    };
    stage.hooks.exec = &last;
    let asked = |made: &Made| agent.tell(made, &state.describe_now(&folder)?);
    stage.hooks.asked = Some(&asked);
    let group = match args.cgroup.as_slice() {
        [] => state.cgroup.folder_beside(target.pid)?,
        [top] if top == "/" => state.cgroup.folder()?,
        [other, ..] => bail!("exec --cgroup {other:?} is not supported: / is"),
    };
    stage.cgroup = group.as_ref().map(AsFd::as_fd);

    let affinity = process.exec_cpu_affinity.clone().unwrap_or_default();
    // Inherited by the new process, before it is in the container's group …
    cpus::run_on(Pid::from_raw(0), &affinity.initial, host)?;

    let outside = |made: &Made| {
        state.cgroup.join(made.pid)?;
        // … and when it is, whose cpuset may have others.
        cpus::run_on(made.pid, &affinity.last, host)?;
        attributes.set_outside(made)
    };

    let inside = |gate: &Gate| {
        step06::give_up_groups()?;
        let rest = apart.difference(before);
        if !rest.is_empty() {
            enter::join(target, rest)?;
        }
        root.as_ref().map_or(Ok(()), mounts::enter_root)?;
        step06::user::become_user(0, 0, &[])?;
        hide()?;
        console.open_here(process.console_size)?;
        console.attach(process.user.uid)?;
        descriptors::close(&[gate], &agent, &args.caller)?;
        attributes.set_inside()?;
        agent.filter_early(&process, gate)?;
        attributes.become_user()?;
        look::look(&command)?;
        agent.filter_late(&process, gate)
    };

    let running = stage.start(outside, inside, &[])?;
    args.caller.tell(&running.process)?;
    match args.detach {
        true => running.let_go(),
        false => return Ok(running.until_end()?.ending),
    }
    Ok(Ending::Exited(0))
}
