//! Which process was meant, also when it is gone.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use step00::{Proc, Process};

use super::{boot, has_ended, is_gone};
use crate::enter;

/// A process, so that no later one can be taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// Its number.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start: u64,
    /// Since which boot: random(4).
    pub boot: String,
}

impl First {
    /// The same, of a process that runs.
    ///
    /// # Errors
    /// ENOENT when it has ended.
    pub fn of(process: &Process) -> Result<First> {
        let start = Proc::of(process.pid).start_time()?;
        Ok(First { pid: process.pid.as_raw(), start, boot: boot()? })
    }

    /// Takes hold of it, if it still lives.
    ///
    /// # Errors
    /// EMFILE.
    pub fn hold(&self) -> Result<Option<Process>> {
        if boot()? != self.boot {
            return Ok(None);
        }
        match enter::open(self.pid, self.start) {
            Ok(process) => Ok((!has_ended(&process, 0)).then_some(process)),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
