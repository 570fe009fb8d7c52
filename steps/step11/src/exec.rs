//! `step11 exec`: one more process in a container that runs.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use nix::sched::setns;
use nix::sys::prctl;
use nix::unistd::Pid;
use step00::{Advice, Ending, Gate, Proc, Process, Result, Stage};
use step07::place;

use crate::flags::Terminal;
use crate::state::State;
use crate::{Run, enter, namespaces, state};

/// The flags of `exec`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Your own containers, of `run --rootless`, and not root's
    #[arg(long)]
    pub rootless: bool,

    /// Who runs the command, as in `run` [default: whom that has named]
    #[arg(short, long, value_name = "UID|NAME[:GID|GROUP]")]
    #[arg(value_parser = step10::parse_user)]
    pub user: Option<step10::User>,

    /// The folder in which it starts [default: as in `run`]
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,

    /// Set a variable, beside those of `run`
    #[arg(short, long, value_name = "K[=V]")]
    #[arg(value_parser = step03::parse_variable)]
    pub env: Vec<step03::Variable>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub terminal: Terminal,

    /// The container
    pub name: String,

    /// The command, and its arguments [default: an interactive /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// The flags of `run`, as they were recorded.
#[derive(Parser)]
struct Recorded {
    #[command(flatten)]
    run: Run,
}

/// Runs a command in it, and waits for its end.
pub fn exec(name: &'static str, args: &Args) -> Result<Ending> {
    step10::keep_back()?;
    args.terminal.check(false)?;
    let state = state::read(&args.name)?;
    let target = way_in(state.running()?)?;
    let mut run = recorded(&state)?;
    run.privileges.user = args.user.clone().or(run.privileges.user);
    run.root.env.extend(args.env.iter().cloned());
    run.root.workdir = args.workdir.clone().or(run.root.workdir);

    let process = step00::Args { quiet: true, command: args.command.clone() };
    let mut stage = Stage::new(name, &process);
    step03::set_stage(&mut stage, &run.root, &run.uts)?;
    step06::set_stage(&mut stage);
    stage.own_terminal = true;
    stage.hooks.home = Some(step10::home);
    let apart = namespaces::between(target.pid)?;
    let before = namespaces::before_birth(apart);
    let join_first = || {
        // The process is born in the container's PID namespace, where others
        // can see it, but still among the machine's files; and its memory is a
        // copy of ours (CVE-2016-9962). It inherits this, until its execve.
        hide()?;
        setns(target.pidfd.as_fd(), before).context("join the PID namespace")
    };
    stage.hooks.before_birth = Some(&join_first);
    let group = place::group_of(target.pid)?.map(File::open).transpose();
    let group = group.context("open its group")?;
    stage.cgroup = group.as_ref().map(File::as_fd);

    let outside = |_: &Process| Ok(());

    // ANCHOR: inside
    let inside = |_: &Gate| {
        // As long as /proc is the machine's: what is read there after that,
        // somebody inside may have put there.
        step06::give_up_groups()?;
        enter::join(&target, apart.difference(before))?;
        step06::user::become_user(0, 0, &[])?;
        // A change of user makes it what /proc/sys/fs/suid_dumpable says.
        hide()?;
        let workdir = run.root.workdir();
        step03::enter(workdir)
            .with_context(|| format!("enter {}", workdir.display()))
            .advice("--workdir takes a folder that the container has")?;
        step08::install(&run.seccomp)?;
        step10::strip(&run.privileges)
    };
    // ANCHOR_END: inside

    Ok(stage.run(outside, inside, &[])?.ending)
}

/// Nobody but the machine's root may trace this process or look through it
/// (PR_SET_DUMPABLE(2const), ptrace(2)).
pub fn hide() -> Result<()> {
    prctl::set_dumpable(false).context("hide this process's memory")
}

/// The flags that it was started with, and their values of that time.
pub(crate) fn recorded(state: &State) -> Result<Run> {
    let words = std::iter::once("run").chain(state.flags.iter().map(|f| &**f));
    let recorded = Recorded::try_parse_from(words)
        .with_context(|| format!("read the flags of {}", state.name))?;
    let mut run = recorded.run.settle();
    // What was read then: this environment is another one, and a file may
    // have changed.
    run.root.env_file.clear();
    run.root.env = state.env.clone();
    // What the image has said, which may be another one by now.
    run.overlay.image = state.image.clone();
    run.root.workdir = state.workdir.clone();
    run.overlay.default_user = state.default_user.clone();
    step10::default_user(&mut run.privileges, &run.overlay)?;
    run.uts.hostname = state.hostname.clone();
    Ok(run)
}

/// The process to enter by: the first one, or what that has started.
///
/// To join the namespaces of a process by its pidfd takes the right to trace
/// it (setns(2)). The init of step02 is a copy of the launcher, which only the
/// machine's root may trace; its child, the command, its owner may trace as
/// well.
pub(crate) fn way_in(first: Process) -> Result<Process> {
    let is_open = |pid: Pid| namespaces::between(pid).is_ok();
    if is_open(first.pid) {
        return Ok(first);
    }
    let children = Proc::of(first.pid).children().unwrap_or_default();
    let child = children.first().context("find a process to enter by")?;
    let start = Proc::of(*child).start_time().unwrap_or_default();
    enter::open(child.as_raw(), start)
}
