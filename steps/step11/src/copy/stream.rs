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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of ten bytes, whose first read ends like this.
    struct Once(Option<io::ErrorKind>, &'static [u8]);

    impl Read for Once {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.take() {
                Some(kind) => Err(kind.into()),
                None => self.1.read(buffer),
            }
        }
    }

    fn sent(first: Option<io::ErrorKind>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        send_file(Once(first, b"ten bytes."), &mut bytes)?;
        Ok(bytes)
    }

    fn received(bytes: &[u8]) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        receive_file(bytes, &mut file)?;
        Ok(file)
    }

    #[test]
    fn a_read_that_was_interrupted_is_no_end_and_no_error() {
        let whole = b"\x0a\0\0\0ten bytes.\0\0\0\0";
        for first in [None, Some(io::ErrorKind::Interrupted)] {
            assert_eq!(sent(first).expect("send it"), whole, "{first:?}");
        }
        let error = sent(Some(io::ErrorKind::PermissionDenied));
        assert!(error.is_err(), "the control");
        assert_eq!(received(whole).expect("receive it"), b"ten bytes.");
    }

    #[test]
    fn what_has_no_end_is_no_file() {
        let whole = sent(None).expect("send it");
        for length in 0..whole.len() {
            let error = received(&whole[..length]).expect_err("cut off");
            assert!(format!("{error:#}").contains("killed"), "{length}");
        }
    }

    #[test]
    fn a_piece_is_no_longer_than_it_may_be() {
        let piece = |length: usize| {
            let number = (length as u32).to_le_bytes();
            received(&[&number[..], &vec![7; length], &[0; 4]].concat())
        };
        assert_eq!(piece(PIECE).expect("the control").len(), PIECE);
        let error = piece(PIECE + 1).expect_err("too long");
        assert!(format!("{error:#}").contains("65537 bytes"), "{error:#}");
    }
    /// What the other side makes of these words.
    fn heard(words: &[Entry]) -> Result<()> {
        let (from, to) = UnixStream::pair().expect("a pair of sockets");
        for word in words {
            say(&to, word).expect("say it");
        }
        drop(to);
        hear_end(&from)
    }

    #[test]
    fn only_the_last_word_says_that_all_went_well() {
        assert!(heard(&[Entry::End]).is_ok());
        for (words, said) in [
            (vec![], "was killed"),
            (vec![Entry::Failed("no room".into())], "no room"),
            (vec![Entry::Up, Entry::End], "receive Up"),
        ] {
            let error = heard(&words).expect_err(said);
            assert!(error.to_string().contains(said), "{error:#}");
        }
    }

    #[test]
    fn who_has_ended_is_told_from_other_errors() {
        let (gone, to) = UnixStream::pair().expect("a pair of sockets");
        drop(gone);
        let error = say(&to, &Entry::Up).expect_err("nobody hears it");
        assert!(is_broken(&error), "{error:#}");
        assert!(!is_broken(&io::Error::from(io::ErrorKind::NotFound).into()));
        assert!(!is_broken(&anyhow!("no error of the kernel's")));
    }
}
