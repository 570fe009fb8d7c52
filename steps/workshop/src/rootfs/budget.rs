//! What an image may cost, since whoever made it is a stranger.
//!
//! Two kilobytes can say "a file of a terabyte", three megabytes "a name of
//! three gigabytes". So everything that an image decides has a limit, which a
//! flag raises; the defaults are several times what large images need. One
//! budget serves a whole import, all layers of it together.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::text::size;

/// The flags that raise (or lower) the limits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits, for images of strangers")]
pub struct Limits {
    /// Bytes that may come out of it, the holes of sparse files included
    #[arg(long, value_name = "SIZE", default_value = "8G")]
    #[arg(value_parser = bytes)]
    max_size: u64,

    /// Files, folders, links and deletions
    #[arg(long, value_name = "N", default_value = "2000000")]
    max_entries: u64,

    /// Bytes of one name, target of a link, or record of an extension
    #[arg(long, value_name = "SIZE", default_value = "64K")]
    #[arg(value_parser = bytes)]
    max_name: u64,

    /// Folders in folders
    #[arg(long, value_name = "N", default_value = "256")]
    max_depth: usize,

    /// Pieces of one sparse file
    #[arg(long, value_name = "N", default_value = "65536")]
    max_pieces: usize,

    /// How long the import may take
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    max_time: u64,
}

/// `64K` is 65,536 bytes; K, M, G and T are powers of 1,024.
fn bytes(text: &str) -> Result<u64, String> {
    let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
    let split = |(unit, shift): &(&str, u32)| {
        text.strip_suffix(unit).map(|digits| (digits, *shift))
    };
    let (digits, shift) = units.iter().find_map(split).unwrap_or((text, 0));
    // parse() would take "+1" as well.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| is_number);
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "a number of bytes, or with K, M, G or T".into())
}

/// Bytes of paths that are remembered until the end of an archive, for each
/// entry that is allowed.
const KEPT_PER_ENTRY: u64 = 64;

/// What has been used of the [`Limits`].
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    begun: Instant,
    bytes: Cell<u64>,
    entries: Cell<u64>,
    kept: Cell<u64>,
}

impl Budget {
    /// A budget of which nothing has been used.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let (bytes, entries) = (Cell::new(0), Cell::new(0));
        let (begun, kept) = (Instant::now(), Cell::new(0));
        Self { limits: limits.clone(), begun, bytes, entries, kept }
    }

    /// Pays for bytes, before they are read or written.
    ///
    /// # Errors
    /// There are too many, or it takes too long.
    pub fn spend(&self, bytes: u64) -> Result<()> {
        self.afford(bytes)?;
        self.bytes.set(self.bytes.get() + bytes);
        let limit = self.limits.max_time;
        ensure!(
            self.begun.elapsed() <= Duration::from_secs(limit),
            "it takes more than {limit} seconds: if you trust it, raise \
             --max-time"
        );
        Ok(())
    }

    /// Would so many bytes be allowed?
    ///
    /// # Errors
    /// No.
    pub fn afford(&self, bytes: u64) -> Result<()> {
        let limit = self.limits.max_size;
        ensure!(
            self.bytes.get().saturating_add(bytes) <= limit,
            "more than {} would come out of it: if you trust it, raise \
             --max-size",
            size(limit)
        );
        Ok(())
    }

    /// Pays for one more entry.
    ///
    /// # Errors
    /// There are too many, or it takes too long.
    pub fn enter(&self) -> Result<()> {
        self.entries.set(self.entries.get() + 1);
        let limit = self.limits.max_entries;
        ensure!(
            self.entries.get() <= limit,
            "it has more than {limit} entries: if you trust it, raise \
             --max-entries"
        );
        self.spend(0)
    }

    /// Pays for a path that is remembered until the end.
    ///
    /// # Errors
    /// All of them together are too long.
    pub fn keep(&self, bytes: usize) -> Result<()> {
        self.kept.set(self.kept.get().saturating_add(bytes as u64));
        let limit = self.limits.max_entries.saturating_mul(KEPT_PER_ENTRY);
        ensure!(
            self.kept.get() <= limit,
            "the paths of its folders take more than {}: if you trust it, \
             raise --max-entries",
            size(limit)
        );
        Ok(())
    }

    /// Is a name, or a record, of so many bytes allowed?
    ///
    /// # Errors
    /// No.
    pub fn name(&self, bytes: u64) -> Result<()> {
        let limit = self.limits.max_name;
        ensure!(
            bytes <= limit,
            "a name or record of {bytes} bytes, {limit} are the limit: if \
             you trust it, raise --max-name"
        );
        Ok(())
    }

    /// Is a header of so many bytes allowed, which is a list of records?
    ///
    /// # Errors
    /// No.
    pub fn header(&self, bytes: u64) -> Result<()> {
        self.name(bytes.div_ceil(16))
    }

    /// May folders lie this deep?
    ///
    /// # Errors
    /// No.
    pub fn depth(&self, depth: usize) -> Result<()> {
        let limit = self.limits.max_depth;
        ensure!(
            depth <= limit,
            "more than {limit} folders in each other: if you trust it, raise \
             --max-depth"
        );
        Ok(())
    }

    /// May a sparse file have this many pieces?
    ///
    /// # Errors
    /// No.
    pub fn pieces(&self, count: u64) -> Result<()> {
        let limit = self.limits.max_pieces;
        if count > limit as u64 {
            bail!(
                "a sparse file of more than {limit} pieces: if you trust it, \
                 raise --max-pieces"
            );
        }
        Ok(())
    }

    /// Copies all that there is, within the budget.
    ///
    /// # Errors
    /// It is too much, takes too long, or cannot be read or written.
    pub fn copy(
        &self,
        from: &mut impl Read,
        to: &mut impl Write,
    ) -> Result<u64> {
        let mut buffer = vec![0; 1 << 16];
        let mut sum = 0;
        loop {
            let count = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    continue;
                }
                count => count.context("read it")?,
            };
            if count == 0 {
                return Ok(sum);
            }
            self.spend(count as u64)?;
            to.write_all(&buffer[..count]).context("write it")?;
            sum += count as u64;
        }
    }
}
