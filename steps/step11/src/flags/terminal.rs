//! `-i` and `-t`, with which other tools are asked for a keyboard and a
//! terminal.
//!
//! Here both come by themselves: a command has the launcher's stdin, and where
//! that and stdout are a terminal, one of its own (step03). So the two flags
//! ask for nothing more; but who asks for a terminal that cannot be had is to
//! be told.

use std::io::{self, IsTerminal};

use anyhow::{Result, anyhow, ensure};
use step00::Advice;

/// The flags.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Terminal {
    /// Read from the launcher's stdin, as it does anyway
    #[arg(short, long)]
    pub interactive: bool,

    /// Insist on a terminal, which comes by itself where the launcher has one
    #[arg(short, long)]
    pub tty: bool,
}

impl Terminal {
    /// Can what is asked for be had?
    ///
    /// # Errors
    /// Detached, there is neither a keyboard nor a terminal; and nobody can
    /// type on, or read from, what is no terminal.
    pub fn check(&self, is_detached: bool) -> Result<()> {
        if is_detached && (self.interactive || self.tty) {
            let error = anyhow!("a detached container has no terminal");
            return Err(error).advice(
                "-d with a command that waits, as sleep 1000, and then \
                 exec -it NAME sh",
            );
        }
        if self.tty {
            streams().advice("without -t; in a pipe no terminal is needed")?;
        }
        Ok(())
    }
}

fn streams() -> Result<()> {
    // Docker's words.
    ensure!(io::stdin().is_terminal(), "the input device is not a TTY");
    ensure!(io::stdout().is_terminal(), "the output device is not a TTY");
    Ok(())
}
