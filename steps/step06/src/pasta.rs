//! A way out without the machine's root: pasta(1).
//!
//! A cable has one end on the machine's side, and nobody but root may plug
//! that in. But who owns a network namespace may make a `tap` in it, an
//! interface whose packets a program reads and writes. pasta is such a
//! program: what the container sends it says again in its own name, by the
//! sockets that every user has. Rootless Podman has its network from it, too.

use std::io::Read;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::{AccessFlags, Pid, access, geteuid};
use step00::child::signal;
use step00::{Guardian, Proc, Process, search_path};
use step05::forwarding;

const TUN: &str = "/dev/net/tun";

/// How long it may take to set up an interface.
const PATIENCE: Duration = Duration::from_secs(20);

/// What it does with the container's interface, `eth0`: addresses and routes
/// are copies of the machine's. Nothing inside may reach the machine's
/// loopback, and no port is handed on, in either direction, unasked. IPv6 is
/// not promised.
const FLAGS: &str = "--foreground --quiet --ipv4-only --config-net \
                     --ns-ifname eth0 --no-map-gw --tcp-ports none \
                     --udp-ports none --tcp-ns none --udp-ns none";

/// Where pasta is on this machine.
///
/// # Errors
/// Why there is no way out by it.
pub(crate) fn find() -> Result<PathBuf> {
    // It refuses to be root, and root has better.
    ensure!(!geteuid().is_root(), "root plugs in a cable, without --rootless");
    let mut all = search_path().into_iter().map(|folder| folder.join("pasta"));
    let found = all.find(|path| access(path, AccessFlags::X_OK).is_ok());
    let program = found.context(
        "a cable takes the machine's root, or pasta, which is not installed \
         (its package is called passt)",
    )?;
    let may = AccessFlags::R_OK | AccessFlags::W_OK;
    access(TUN, may).with_context(|| format!("pasta may not use {TUN}"))?;
    let uplink = forwarding::uplink()?;
    uplink.context("the machine has no default route itself")?;
    Ok(program)
}

/// A running pasta. It ends when this is dropped, or the launcher is gone.
#[derive(Debug)]
pub(crate) struct Pasta {
    child: Child,
    /// The same process: a number could come to mean another one.
    process: Process,
    _guardian: Guardian,
}

impl Pasta {
    /// Outside, while the container's process waits: gives it an interface, and
    /// waits until that is there.
    ///
    /// # Errors
    /// What pasta itself says.
    pub(crate) fn start(program: &Path, container: &Process) -> Result<Pasta> {
        let child = Command::new(program)
            .args(FLAGS.split_whitespace())
            .arg(container.pid.to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for the container.
            .process_group(0)
            .spawn()
            .context("run pasta")?;
        let process = hold(&child).context("take hold of pasta")?;
        // PR_SET_PDEATHSIG would not do: the kernel forgets it when a process
        // joins a user namespace, and that is the first thing that pasta does.
        let guardian = Guardian::start(&[process.pidfd.as_fd()], || {
            let _ = signal(&process, libc::SIGKILL);
        })?;
        let mut pasta = Pasta { child, process, _guardian: guardian };
        pasta.wait_for_interface(container)?;
        Ok(pasta)
    }

    /// It says nothing when it is ready, but the kernel does.
    fn wait_for_interface(&mut self, container: &Process) -> Result<()> {
        let begun = Instant::now();
        loop {
            let routes = Proc::of(container.pid).routes().unwrap_or_default();
            if routes.iter().any(|route| route.is_default()) {
                return Ok(());
            }
            // Readable when it has ended (pidfd_open(2)).
            let pidfd = self.process.pidfd.as_fd();
            let pidfd = PollFd::new(pidfd, PollFlags::POLLIN);
            if poll(&mut [pidfd], 5u8).is_ok_and(|count| count > 0) {
                bail!("pasta has ended: {}", self.last_words());
            }
            ensure!(begun.elapsed() < PATIENCE, "pasta makes no interface");
        }
    }

    fn last_words(&mut self) -> String {
        let mut words = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            let _ = stderr.take(4096).read_to_string(&mut words);
        }
        words.trim().replace('\n', "; ")
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        let _ = signal(&self.process, libc::SIGKILL);
        let _ = self.child.wait();
    }
}

/// pidfd_open(2)
fn hold(child: &Child) -> Result<Process> {
    // SAFETY: the call takes two numbers. The child has not been waited for,
    // so its number is still its own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let fd = Errno::result(fd)? as i32;
    // SAFETY: the kernel has made this descriptor for nobody else.
    let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(Process { pid: Pid::from_raw(child.id() as i32), pidfd })
}
