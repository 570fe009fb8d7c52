//! Opens a tar archive, however it is compressed.
//!
//! The first bytes of a file tell its format; names are not trusted. gzip,
//! which nearly every image uses, is unpacked in this process. For the rarer
//! formats the system's own program runs as a filter, so that the companion
//! needs no library for each of them.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, anyhow};
use flate2::read::MultiGzDecoder;

use crate::progress::Progress;
use crate::text::printable;

/// (first bytes, the program that unpacks files that begin with them)
const FILTERS: &[(&[u8], &str)] = &[
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (b"BZh", "bzip2"),
];

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
        // "Multi": parallel gzip programs write many members in a row.
        return Ok(Box::new(MultiGzDecoder::new(file)));
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

/// A running `PROGRAM -dc`. Its end-of-file counts only together with its exit
/// status, or a damaged archive would look like a short one.
struct Filter {
    program: &'static str,
    child: Child,
    output: ChildStdout,
}

impl Filter {
    fn start(program: &'static str, input: File) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("-dc")
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("run {program} to unpack the archive: install it")
            })?;
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
