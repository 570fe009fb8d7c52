//! All five sets, each for itself, for who has them from a file.

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::calls::{bounding_has, capset, raise_ambient};
use crate::capabilities::Set;
use crate::privileges::limit_bounding;

/// The five sets of capabilities(7), but for the bounding one, which comes
/// before a change of user.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sets {
    /// What execve(2) can give at most.
    pub bounding: Set,
    /// What the kernel asks for.
    pub effective: Set,
    /// What may become effective.
    pub permitted: Set,
    /// What survives some execve(2).
    pub inheritable: Set,
    /// What survives every execve(2).
    pub ambient: Set,
}

impl Sets {
    /// Leaves out what this kernel does not have, or whoever started this
    /// process has kept back.
    ///
    /// # Errors
    /// None that is to be expected.
    pub fn that_are_there(self) -> Result<Sets> {
        let mut there = Set::NONE;
        for number in 0..64 {
            match bounding_has(number) {
                Err(Errno::EINVAL) => break,
                Ok(true) => there = there | Set(1 << number),
                Ok(false) => {}
                Err(errno) => {
                    return Err(errno).with_context(|| {
                        format!("look for capability {number}")
                    });
                }
            }
        }
        Ok(Sets {
            bounding: self.bounding & there,
            effective: self.effective & there,
            permitted: self.permitted & there,
            inheritable: self.inheritable & there,
            ambient: self.ambient & there,
        })
    }

    /// The bounding set, as long as CAP_SETPCAP is there.
    ///
    /// # Errors
    /// As for [`limit_bounding`].
    pub fn limit_bounding(&self) -> Result<()> {
        limit_bounding(self.bounding)
    }

    /// The other four. What cannot be ambient, because it is not permitted and
    /// inheritable as well, is left out.
    ///
    /// # Errors
    /// EPERM when a capability would be gained, or one is effective that is not
    /// permitted, or inheritable that is not in the bounding set.
    pub fn set(&self) -> Result<()> {
        capset(self.effective, self.permitted, self.inheritable)
            .context("set the capabilities")?;
        let ambient = self.ambient & self.permitted & self.inheritable;
        for number in ambient.numbers() {
            raise_ambient(number).with_context(|| {
                format!("make capability {number} ambient")
            })?;
        }
        Ok(())
    }
}
