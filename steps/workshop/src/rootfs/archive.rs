//! Opens a tar archive, however it is compressed.
//!
//! The first bytes of a file tell its format; names are not trusted. gzip,
//! which nearly every image uses, is unpacked in this process. For the rarer
//! formats the system's own program runs as a filter, so that the companion
//! needs no library for each of them.
//!
//! A compressed file may have several members, one after the other, and zeros
//! after the last: tapes were filled up to a block, and bsdtar fills up what
//! it writes to a pipe. Anything else behind it is an error.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, anyhow};
use flate2::bufread::GzDecoder;

use crate::progress::Progress;
use crate::text::printable;

/// (first bytes, the program that unpacks files that begin with them)
const FILTERS: &[(&[u8], &str)] = &[
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    // lzma, before xz.
    (&[0x5d, 0, 0], "xz"),
    (b"LZIP", "lzip"),
    // compress(1).
    (&[0x1f, 0x9d], "gzip"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"BZh", "bzip2"),
];

/// 0x184D2A50 to 0x184D2A5F, little-endian, without the first byte (RFC 8878,
/// 3.1.2).
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The tar stream inside `path`.
///
/// # Errors
/// The file cannot be read, or the program that unpacks its format is not
/// installed.
pub fn open(path: &Path) -> Result<Box<dyn Read>> {
    let named = || format!("open the archive {}", path.display());
    let mut file = File::open(path).with_context(named)?;
    let mut start = Vec::new();
    file.by_ref().take(6).read_to_end(&mut start).with_context(named)?;
    file.rewind().with_context(named)?;
    let name = format!("unpacking {}", name_of(path));
    let length = file.metadata().with_context(named)?.len();
    if start.starts_with(&[0x1f, 0x8b]) {
        let file = Progress::bytes(&name, Some(length)).of(file);
        return Ok(Box::new(Members::begin(file)));
    }
    // A frame that zstd skips may stand first: pzstd puts a size there.
    if start.len() > 4 && start[0] & 0xf0 == 0x50 && start[1..4] == SKIPPED {
        return Ok(Box::new(Filter::start("zstd", file)?));
    }
    for (magic, program) in FILTERS {
        if start.starts_with(magic) {
            // How much of the file its program has read, nobody tells.
            let filter = Filter::start(program, file)?;
            return Ok(Box::new(Progress::bytes(&name, None).of(filter)));
        }
    }
    let file = Progress::bytes(&name, Some(length)).of(file);
    Ok(Box::new(io::BufReader::new(file)))
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    printable(&name.chars().take(24).collect::<String>())
}

/// The members of a gzip file, as one stream (RFC 1952, 2.2).
struct Members<R> {
    /// `None` after the last.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Members<R> {
    fn begin(file: R) -> Self {
        let file = BufReader::with_capacity(1 << 16, file);
        Self { member: Some(GzDecoder::new(file)) }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(member) = self.member.take() else { break };
            let mut file = member.into_inner();
            match file.fill_buf()?.first() {
                Some(0x1f) => self.member = Some(GzDecoder::new(file)),
                _ => only_zeros(&mut file)?,
            }
        }
        Ok(0)
    }
}

/// Reads to the end of a file in which nothing more must come.
fn only_zeros(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        let rest = file.fill_buf()?;
        if rest.is_empty() {
            return Ok(());
        }
        if rest.iter().any(|byte| *byte != 0) {
            let problem = "something follows its end that is no gzip";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let count = rest.len();
        file.consume(count);
    }
}

/// A running `PROGRAM -dc`. Its end-of-file counts only together with its exit
/// status, or a damaged archive would look like a short one.
struct Filter {
    program: &'static str,
    child: Child,
    output: ChildStdout,
}

impl Filter {
    fn start(program: &'static str, input: File) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("-dc");
        if program == "xz" {
            // A dictionary may have four gigabytes; `xz -9` needs 65 MB. zstd
            // has a limit of its own, of 128 MB.
            command.arg("--memlimit-decompress=512MiB");
        }
        let mut child =
            command.stdin(input).stdout(Stdio::piped()).spawn().with_context(
                || format!("run {program} to unpack the archive: install it"),
            )?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| anyhow!("no pipe to {program}"))?;
        Ok(Self { program, child, output })
    }
}

impl Read for Filter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        if count == 0 && !buffer.is_empty() && !self.child.wait()?.success() {
            let problem = format!("{} could not unpack it", self.program);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        Ok(count)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // If we have stopped reading early, the filter would wait for ever.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
