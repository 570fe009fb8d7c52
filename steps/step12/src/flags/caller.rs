//! What whoever has called wants to have of a new process.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use step00::Process;

use crate::launcher::console;

/// The flags for that: of `create`, and of `exec`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Caller {
    /// A Unix socket to which the process's terminal is sent
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,

    /// A Unix socket to which a pidfd of the process is sent
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,

    /// Write the number of the process to this file
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Pass on so many descriptors more, from 3 on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u32,
}

impl Caller {
    /// Tells which process it is, in each way that was asked for.
    ///
    /// # Errors
    /// When a file or a socket for that cannot be written to.
    pub fn tell(&self, process: &Process) -> Result<()> {
        if let Some(path) = &self.pidfd_socket {
            send_pidfd(path, process)?;
        }
        match &self.pid_file {
            Some(path) => write_pid(path, process),
            None => Ok(()),
        }
    }
}

/// Writes a number where engines look for it: whole, since they read it as
/// soon as it is there.
///
/// # Errors
/// EACCES, ENOSPC.
fn write_pid(path: &Path, process: &Process) -> Result<()> {
    let write = || -> Result<()> {
        let name = path.file_name().context("it has no name")?;
        let mut new = OsString::from(".");
        new.push(name);
        let new = path.with_file_name(new);
        File::create(&new)?.write_all(process.pid.to_string().as_bytes())?;
        Ok(std::fs::rename(&new, path)?)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Sends a pidfd to who waits for one.
///
/// # Errors
/// ECONNREFUSED when nobody listens.
fn send_pidfd(path: &Path, process: &Process) -> Result<()> {
    let send = || -> Result<()> {
        let socket = UnixStream::connect(path)?;
        console::send(&socket, "pidfd", &process.pidfd.as_fd())
    };
    send().with_context(|| format!("send a pidfd to {}", path.display()))
}
