//! Sparse files: what is in the archive are pieces, and a map of where they
//! belong; between them are holes, which read as zeros.
//!
//! GNU tar has written the map in four ways: in the header (the type `S`), in
//! records (versions 0.0 and 0.1), and in front of the contents (version 1.0,
//! which libarchive writes by default).
//!
//! Source: GNU tar's manual, "Storing Sparse Files".

use anyhow::{Context, Result, bail, ensure};

use super::super::budget::Budget;
use super::block::{BLOCK, Block, number};
use super::pax::{self, Records};

/// A piece of a file that has contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// How a sparse file is to be put together.
#[derive(Debug)]
pub struct Map {
    /// How long the file is.
    pub size: u64,
    /// What is in it, in order.
    pub pieces: Vec<Piece>,
}

/// Where the map of an entry is.
pub enum Place {
    /// There is none: the file is whole.
    None,
    /// It was in the records.
    Read(Map),
    /// It stands in front of the contents of a file of this size.
    InFront(u64),
}

/// What the records say about a map.
///
/// # Errors
/// They contradict each other, or are of a version not known here.
pub fn from_records(records: &Records, budget: &Budget) -> Result<Place> {
    let get = |key| records.number(key);
    if let Some(major) = get("GNU.sparse.major")? {
        let minor = get("GNU.sparse.minor")?.unwrap_or(0);
        ensure!((major, minor) == (1, 0), "sparse format {major}.{minor}");
        let size = get("GNU.sparse.realsize")?;
        return Ok(Place::InFront(size.context("sparse, without a size")?));
    }
    let mut numbers = Vec::new();
    if let Some(map) = records.get("GNU.sparse.map") {
        for text in map.split(|byte| *byte == b',') {
            budget.pieces(numbers.len() as u64 / 2)?;
            numbers.push(pax::number(text)?);
        }
    } else {
        for (key, value) in records.all("GNU.sparse.") {
            let is_first = numbers.len() % 2 == 0;
            match (key, is_first) {
                (b"offset", true) | (b"numbytes", false) => {
                    budget.pieces(numbers.len() as u64 / 2)?;
                    numbers.push(pax::number(value)?);
                }
                (b"offset" | b"numbytes", _) => {
                    bail!("a sparse map that is out of order");
                }
                _ => {}
            }
        }
    }
    let count = get("GNU.sparse.numblocks")?;
    let Some(size) = get("GNU.sparse.size")? else {
        // star has a format of its own, with the map in another place.
        let is_whole = numbers.is_empty()
            && count.is_none()
            && records.get("SCHILY.realsize").is_none();
        ensure!(is_whole, "a sparse file without a size");
        return Ok(Place::None);
    };
    let pieces = pairs(&numbers)?;
    let is_whole = count.is_none_or(|count| count == pieces.len() as u64);
    ensure!(is_whole, "a sparse map with pieces missing");
    Ok(Place::Read(Map { size, pieces }))
}

/// The map in a header of type `S`, four pieces and a mark that says whether
/// blocks of 21 more follow, which `next` reads.
///
/// # Errors
/// It is damaged, or has too many pieces.
pub fn from_header(
    header: &Block,
    budget: &Budget,
    mut next: impl FnMut() -> Result<Block>,
) -> Result<Map> {
    let size = number(&header.0[483..495]).context("its real size")?;
    let size = u64::try_from(size).context("its real size is negative")?;
    let mut pieces = Vec::new();
    let mut goes_on = header.0[482] != 0;
    gather(&header.0[386..482], &mut pieces)?;
    while goes_on {
        budget.pieces(pieces.len() as u64)?;
        let block = next()?;
        gather(&block.0[..504], &mut pieces)?;
        goes_on = block.0[504] != 0;
    }
    budget.pieces(pieces.len() as u64)?;
    Ok(Map { size, pieces })
}

/// Pairs of 12 bytes each, up to the first that is empty.
fn gather(field: &[u8], pieces: &mut Vec<Piece>) -> Result<()> {
    for pair in field.chunks_exact(24).take_while(|pair| pair[12] != 0) {
        let (offset, length) = pair.split_at(12);
        let offset = u64::try_from(number(offset)?)?;
        let length = u64::try_from(number(length)?)?;
        pieces.push(Piece { offset, length });
    }
    Ok(())
}

/// The map in front of the contents: decimal numbers with a newline each, the
/// number of pieces first, filled up to whole blocks. Returns how many bytes
/// it took, too.
///
/// # Errors
/// It is damaged, or has too many pieces.
pub fn in_front(
    budget: &Budget,
    mut next: impl FnMut() -> Result<Block>,
) -> Result<(Vec<Piece>, u64)> {
    let mut block = next()?;
    let (mut at, mut blocks) = (0, 1);
    let mut number = || -> Result<u64> {
        let mut digits = Vec::new();
        loop {
            if at == BLOCK {
                block = next()?;
                (at, blocks) = (0, blocks + 1);
            }
            let byte = block.0[at];
            at += 1;
            match byte {
                b'\n' => return pax::number(&digits),
                _ if digits.len() < 20 => digits.push(byte),
                _ => bail!("a sparse map without newlines"),
            }
        }
    };
    let count = number()?;
    budget.pieces(count)?;
    let mut numbers = Vec::new();
    for _ in 0..2 * count {
        numbers.push(number()?);
    }
    Ok((pairs(&numbers)?, blocks * BLOCK as u64))
}

fn pairs(numbers: &[u64]) -> Result<Vec<Piece>> {
    ensure!(numbers.len() % 2 == 0, "a sparse map with half a piece");
    let pieces = numbers.chunks_exact(2);
    let pieces = pieces.map(|pair| Piece { offset: pair[0], length: pair[1] });
    Ok(pieces.collect())
}

impl Map {
    /// Do the pieces follow each other, fit into the file, and make up the
    /// `stored` bytes that are in the archive?
    ///
    /// # Errors
    /// They do not.
    pub fn check(&self, stored: u64) -> Result<()> {
        let (mut end, mut sum) = (0, 0u64);
        let mut is_aligned = true;
        for Piece { offset, length } in &self.pieces {
            ensure!(*offset >= end, "the pieces of a sparse file overlap");
            end = offset.checked_add(*length).context("it has no end")?;
            ensure!(end <= self.size, "a piece beyond the end of the file");
            // GNU tar fills each piece up to a block, others do not. No
            // program writes what would make a difference.
            let is_well = is_aligned || *length == 0;
            ensure!(is_well, "a sparse file with pieces of odd length");
            is_aligned &= length % BLOCK as u64 == 0;
            sum += length;
        }
        ensure!(
            sum == stored,
            "a sparse file of {sum} bytes, and {stored} in the archive"
        );
        Ok(())
    }
}
