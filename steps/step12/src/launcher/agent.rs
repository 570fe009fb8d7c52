//! The filter of config.json, and the agent that it may ask.
//!
//! A filter can answer "ask somebody" (SCMP_ACT_NOTIFY): the call waits until
//! an agent, another process, has decided. The agent gets a descriptor for
//! that, which only the filtered process has. So the launcher, which is not
//! filtered, takes it out of the process and sends it on.

use std::cell::RefCell;

use anyhow::{Context, Result};
use step00::{Gate, Process as Made};

use crate::config::{Config, Process};
use crate::seccomp::Filter;
use crate::seccomp::listener::{self, Handover};
use crate::state::OCI_VERSION;

/// The filter, if config.json has one.
pub struct Agent<'a> {
    config: &'a Config,
    filter: Option<Filter>,
    handover: RefCell<Option<Handover>>,
}

impl<'a> Agent<'a> {
    /// Makes the filter, before the process is made.
    ///
    /// # Errors
    /// As for [`Filter::build`].
    pub fn new(config: &'a Config) -> Result<Agent<'a>> {
        let filter = config.linux.seccomp.as_ref().map(Filter::build);
        let filter = filter.transpose()?.flatten();
        let notifies = filter.as_ref().is_some_and(Filter::notifies);
        let handover = notifies.then(Handover::new).transpose()?;
        Ok(Agent { config, filter, handover: RefCell::new(handover) })
    }
}

impl Agent<'_> {
    /// Inside: puts the filter on where the process may still do that by the
    /// power of root: without no_new_privs it cannot be done later.
    ///
    /// # Errors
    /// As for [`Filter::install`], and when the agent cannot be reached.
    pub fn filter_early(&self, process: &Process, gate: &Gate) -> Result<()> {
        match process.no_new_privileges {
            true => Ok(()),
            false => self.filter(gate),
        }
    }

    /// Inside: with no_new_privs it need not be so early. But if an agent is
    /// to be told, it is while the launcher is there.
    ///
    /// # Errors
    /// As above.
    pub fn filter_late(&self, process: &Process, gate: &Gate) -> Result<()> {
        match process.no_new_privileges && self.notifies() {
            true => self.filter(gate),
            false => Ok(()),
        }
    }

    /// Inside, last of all: so that it need not allow what only the runtime
    /// does.
    ///
    /// # Errors
    /// As for [`Filter::install`].
    pub fn filter_last(&self, no_new_privileges: bool) -> Result<()> {
        match &self.filter {
            Some(filter) if no_new_privileges && !self.notifies() => {
                filter.install().map(drop)
            }
            _ => Ok(()),
        }
    }

    fn notifies(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::notifies)
    }

    /// The launcher is asked before the filter is on: what asks for it could
    /// be among the calls that wait for the agent's answer.
    fn filter(&self, gate: &Gate) -> Result<()> {
        let Some(filter) = &self.filter else { return Ok(()) };
        if !self.notifies() {
            return filter.install().map(drop);
        }
        let mut descriptor = None;
        let handover = self.handover.borrow();
        let handover = handover.as_ref().context("hand over a descriptor")?;
        gate.ask_meanwhile(|| {
            descriptor = filter.install()?;
            descriptor.as_ref().map_or(Ok(()), |it| handover.give(it))
        })
        // Only now may the descriptor go.
    }

    /// Outside, when the process asks for something a second time: sends what
    /// it has to the agent, with the container's state. The first time it asks
    /// for its hooks.
    ///
    /// # Errors
    /// When nobody listens at listenerPath.
    pub fn tell(&self, process: &Made, state: &str) -> Result<()> {
        let Some(handover) = self.handover.take() else { return Ok(()) };
        let descriptor = handover.take(&process.pidfd)?;
        let profile = self.config.linux.seccomp.as_ref();
        let profile = profile.context("find linux.seccomp")?;
        let pid = process.pid.as_raw();
        let state: serde_json::Value = serde_json::from_str(state)?;
        listener::send(profile, &descriptor, OCI_VERSION, pid, &state)
    }

    /// The descriptor by which the number is told, to be left open.
    pub fn handover(&self) -> Option<i32> {
        self.handover.borrow().as_ref().map(Handover::writer)
    }
}
