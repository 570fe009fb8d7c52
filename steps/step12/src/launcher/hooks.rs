//! Hooks: programs that somebody else wants run at certain moments. A GPU's
//! files come into a container that way, and the cables of older Dockers.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::execve;
use step00::child::{self, close_all_but};
use step00::{Doomed, Ending, Process, process};

use crate::config::hooks::Hook;

/// No more of what a hook says is kept, in bytes.
const WORDS: u64 = 4096;

/// Runs them one after the other, each with `state` as its stdin.
///
/// # Errors
/// When one cannot be executed, ends with another status than 0, or takes
/// longer than it may; with what it has said.
pub fn run(kind: &str, hooks: &[Hook], state: &str) -> Result<()> {
    let own = std::env::vars_os().map(|(key, value)| {
        format!("{}={}", key.to_string_lossy(), value.to_string_lossy())
    });
    run_with(kind, hooks, &own.collect::<Vec<_>>(), state)
}

/// The same where a hook without an environment of its own has this one.
///
/// # Errors
/// As above.
pub fn run_with(
    kind: &str,
    hooks: &[Hook],
    inherited: &[String],
    state: &str,
) -> Result<()> {
    for (number, hook) in hooks.iter().enumerate() {
        run_one(hook, inherited, state)
            .with_context(|| format!("error running {kind} hook #{number}"))?;
    }
    Ok(())
}

fn run_one(hook: &Hook, inherited: &[String], state: &str) -> Result<()> {
    let text = |text: &[u8]| CString::new(text).context("a zero byte");
    let path = text(hook.path.as_os_str().as_bytes())?;
    let mut arguments: Vec<CString> = Vec::new();
    for argument in &hook.args {
        arguments.push(text(argument.as_bytes())?);
    }
    if arguments.is_empty() {
        arguments.push(path.clone());
    }
    let variables = match &hook.env {
        Some(variables) => variables.clone(),
        None => inherited.to_vec(),
    };
    let variables = variables.iter().map(|it| text(it.as_bytes()));
    let variables = variables.collect::<Result<Vec<_>>>()?;
    // Files in memory, and no pipes: a hook need not read, and what it starts
    // may keep its stdout for ever.
    let (mut input, mut output) = (in_memory(c"state")?, in_memory(c"words")?);
    input.write_all(state.as_bytes()).and_then(|()| input.rewind())?;
    // Inside, a filter may hide clone3(2).
    let made = process::fork(0, None).or_else(child::fork_by_clone);
    let Some(child) = made.context("make a process")? else {
        let Err(errno) = become_hook(&input, &output)
            .and_then(|()| execve(&path, &arguments, &variables));
        let _ = writeln!(output, "{}: {}", hook.path.display(), errno.desc());
        // SAFETY: _exit takes no pointer, and runs no destructor of the
        // launcher's, of which this is a copy.
        unsafe { libc::_exit(127) }
    };
    let ending = wait(child, hook.timeout)?;
    if ending == Some(Ending::Exited(0)) {
        return Ok(());
    }
    let mut words = Vec::new();
    let _ = output.rewind();
    let _ = (&output).take(WORDS).read_to_end(&mut words);
    let words = String::from_utf8_lossy(&words);
    match ending {
        None => bail!("it took longer than its timeout, and was killed"),
        Some(Ending::Exited(status)) => {
            bail!("exit status {status}, output: {}", words.trim_end())
        }
        Some(Ending::Killed(signal)) => {
            bail!("signal {signal}, output: {}", words.trim_end())
        }
    }
}

/// How it ended, or `None` when its time was over.
///
/// # Errors
/// When somebody has interrupted the runtime meanwhile. (A launcher has its
/// signals blocked; a signalfd gets those alone.)
fn wait(child: Process, seconds: Option<i64>) -> Result<Option<Ending>> {
    // Killed, should anything fail from here on.
    let child = Doomed(child);
    let interrupts = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    let interrupts = SignalFd::with_flags(
        &SigSet::from_iter(interrupts),
        SfdFlags::SFD_CLOEXEC,
    )?;
    let end = seconds.map(|it| Duration::from_secs(it.unsigned_abs()));
    let end = end.and_then(|length| Instant::now().checked_add(length));
    loop {
        let left = end.map(|it| it.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = [child.0.pidfd.as_fd(), interrupts.as_fd()]
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("wait for its end"),
        }
        if fds[0].any() == Some(true) {
            return process::wait(&child.0).map(Some);
        }
        if fds[1].any() == Some(true) {
            bail!("interrupted");
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
    }
}

fn become_hook(input: &File, output: &File) -> nix::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let streams = [(input, 0), (output, 1), (output, 2)];
    for (file, stream) in streams {
        // SAFETY: dup2 takes plain numbers, and this process owns its copy of
        // all descriptors.
        Errno::result(unsafe { libc::dup2(file.as_raw_fd(), stream) })?;
    }
    close_all_but(&[Some(output.as_raw_fd())])?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

fn in_memory(name: &std::ffi::CStr) -> Result<File> {
    let made: nix::Result<OwnedFd> = memfd_create(name, MFdFlags::MFD_CLOEXEC);
    made.map(File::from).context("make a file in memory")
}
