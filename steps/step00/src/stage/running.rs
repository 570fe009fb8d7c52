//! From the moment at which the command runs to its end.

use std::os::fd::OwnedFd;

use anyhow::Result;
use nix::sys::signalfd::SignalFd;

use super::terminal::Terminal;
use super::watch::Watch;
use crate::child::{Ending, Process};

/// A command that runs, and its launcher's part in it. Dropping this before
/// the end kills it.
pub struct Performance {
    /// The process that executed it.
    pub process: Process,
    pub(crate) signals: SignalFd,
    pub(crate) terminal: Option<Terminal>,
    /// Is it PID 1 of its namespace?
    pub(crate) is_first: bool,
    pub(crate) handed_over: Vec<OwnedFd>,
    pub(crate) is_over: bool,
}

/// What is left when it is over.
#[derive(Debug)]
pub struct Outcome {
    /// How the command ended.
    pub ending: Ending,
    /// The descriptors that `inside` handed over, in its order.
    pub handed_over: Vec<OwnedFd>,
}

impl Performance {
    /// Hands on signals and the terminal's bytes until the process has ended.
    pub fn until_end(mut self) -> Result<Outcome> {
        let watch = Watch {
            process: &self.process,
            signals: &self.signals,
            terminal: self.terminal.take(),
            is_first: self.is_first,
            typed: Vec::new(),
            ignored: 0,
        };
        let ending = watch.until_end()?;
        self.is_over = true;
        let handed_over = std::mem::take(&mut self.handed_over);
        Ok(Outcome { ending, handed_over })
    }
}

impl Drop for Performance {
    fn drop(&mut self) {
        if !self.is_over {
            self.process.kill();
        }
    }
}
