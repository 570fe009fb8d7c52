//! What goes from the one who packs to the one who unpacks.
//!
//! A walk through a tree, in lines of JSON: into a folder, past its files and
//! links, and out of it again. No line has a path, only a name. So whoever
//! unpacks is never led anywhere: it makes each thing in the folder that it
//! has open.

use std::ffi::OsString;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

/// A step of the walk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// Into a folder. Its name is empty if only what is in it is wanted.
    Folder(Known),
    /// Out of it.
    Up,
    /// A file: pieces follow, each with its length before it, and length 0.
    File(Known),
    /// A symbolic link, and what it says.
    Link(OsString, OsString),
    /// Neither of them, and passed over: where it is.
    Other(String),
    /// That was all, and it went well.
    End,
    /// It did not, and why.
    Failed(String),
}

/// What is kept of a file or folder, beside what is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Known {
    /// Its name in the folder above.
    pub(super) name: OsString,
    /// Who may do what, without set-user-ID and the like: what root of a
    /// container has made is not to run as root of the machine.
    pub(super) mode: u32,
    /// When it was changed, in seconds since 1970.
    pub(super) changed: i64,
}

/// The longest line: a name and a link are 255 and 4095 bytes at most, and a
/// byte takes four characters.
const LONGEST: u64 = 64 << 10;

/// The largest piece of a file.
pub(super) const PIECE: usize = 64 << 10;

/// Sends a line.
pub(super) fn say(mut to: impl Write, entry: &Entry) -> Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    to.write_all(&line).context("send through the sockets")
}

/// Receives a line.
///
/// # Errors
/// What the other side reports, and when it is gone.
pub(super) fn hear(from: &mut impl BufRead) -> Result<Entry> {
    let mut line = Vec::new();
    from.take(LONGEST)
        .read_until(b'\n', &mut line)
        .context("receive through the sockets")?;
    ensure!(!line.is_empty(), "the process in the container was killed");
    match serde_json::from_slice(&line).context("read a line")? {
        Entry::Failed(message) => Err(anyhow!(message)),
        entry => Ok(entry),
    }
}

/// Is this the error of sending to somebody who has ended?
pub(super) fn is_broken(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

/// Waits for the word that all went well.
pub(super) fn hear_end(socket: &UnixStream) -> Result<()> {
    match hear(&mut io::BufReader::new(socket))? {
        Entry::End => Ok(()),
        other => bail!("receive {other:?}"),
    }
}

/// Sends a file to its end, wherever that is by then.
pub(super) fn send_file(
    mut file: impl Read,
    mut to: impl Write,
) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let length = match file.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read.context("read")?,
        };
        to.write_all(&(length as u32).to_le_bytes())?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length])?;
    }
}

/// Receives a file.
pub(super) fn receive_file(
    mut from: impl Read,
    mut file: impl Write,
) -> Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)
            .context("receive a file whose sender was killed")?;
        let length = u32::from_le_bytes(length) as usize;
        ensure!(length <= PIECE, "receive a piece of {length} bytes");
        if length == 0 {
            return Ok(());
        }
        let piece = &mut from.by_ref().take(length as u64);
        let copied = io::copy(piece, &mut file).context("write")?;
        ensure!(copied == length as u64, "the sender was killed");
    }
}
