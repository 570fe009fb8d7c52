//! Reads a tar archive, one entry after the other, and believes none of it.
//!
//! All that tar has grown in forty years is read here: names that are too long
//! for their field (GNU's `L` and `K`, POSIX's `x` and `g`), sparse files,
//! numbers that do not fit into octal digits. Nothing is read into memory that
//! the [`Budget`] has not allowed before. What an entry becomes is decided
//! elsewhere ([`super::unpack`]).

pub mod block;
pub mod pax;
pub mod sparse;

use std::collections::BTreeMap;
use std::io::{self, Read};

use anyhow::{Context, Result, bail, ensure};

use super::budget::Budget;
use block::{BLOCK, Block, text};
use pax::Records;
use sparse::{Map, Piece, Place};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, with contents.
    File,
    /// One more name for a file.
    Link,
    /// A symbolic link.
    Symlink,
    /// A device node.
    Device,
    /// A folder.
    Folder,
    /// A fifo.
    Fifo,
}

/// Since 1970; the nanoseconds count forward also before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Whole seconds.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: i64,
}

/// One entry, without its contents.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name, as it stands there.
    pub name: Vec<u8>,
    /// What a link leads to.
    pub link: Vec<u8>,
    /// Its permissions, with set-user-ID, set-group-ID and the sticky bit.
    pub mode: u32,
    /// Owner and group; no number of the kernel's if it is too large.
    pub owner: (i64, i64),
    /// When it was changed.
    pub time: Time,
    /// How a file is put together.
    pub map: Map,
    /// Extended attributes.
    pub attributes: Attributes,
    /// What it has of access lists and labels, which are not for us.
    pub others: u64,
}

/// An archive that is being read.
pub struct Archive<'a, R> {
    input: R,
    budget: &'a Budget,
    /// Records that hold for all entries to come.
    global: Records,
    /// Bytes of the last entry's contents that are still to come.
    left: u64,
    /// Bytes after them that fill the block.
    padding: u64,
    /// A block that was read too early.
    peeked: Option<Block>,
    /// Has there been a header?
    is_tar: bool,
}

/// What stands before an entry and is about it.
#[derive(Default)]
struct Before {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Records,
    /// Is there anything of these?
    is_some: bool,
}

impl<'a, R: Read> Archive<'a, R> {
    /// Begins to read.
    pub fn new(input: R, budget: &'a Budget) -> Self {
        let global = Records::default();
        let (left, padding, peeked) = (0, 0, None);
        let is_tar = false;
        Self { input, budget, global, left, padding, peeked, is_tar }
    }

    /// The next entry, `None` at the end.
    ///
    /// # Errors
    /// The archive is damaged, is none, or costs more than is allowed.
    pub fn entry(&mut self) -> Result<Option<Entry>> {
        self.skip()?;
        let mut before = Before::default();
        loop {
            let Some(header) = self.header()? else {
                ensure!(!before.is_some, "it ends before an entry");
                return Ok(None);
            };
            let size = header.size()?;
            match header.kind() {
                b'L' => before.name = Some(self.long(size)?),
                b'K' => before.link = Some(self.long(size)?),
                b'x' | b'X' => {
                    let records = self.records(size)?;
                    before.records.update(records);
                }
                b'g' => {
                    let records = self.records(size)?;
                    self.global.update(records);
                    self.budget.name(self.global.size())?;
                    continue;
                }
                // The name of a volume, which is no file.
                b'V' => {
                    self.contents(size)?;
                    self.skip()?;
                    continue;
                }
                _ => return self.assemble(&header, before).map(Some),
            }
            before.is_some = true;
        }
    }

    /// Reads from the contents of the last entry; 0 at their end.
    ///
    /// # Errors
    /// The archive is cut short.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let wanted = self.left.min(buffer.len() as u64);
        let buffer = &mut buffer[..usize::try_from(wanted)?];
        self.fill(buffer)?;
        self.left -= wanted;
        Ok(buffer.len())
    }

    /// Reads what follows the end, so that checksums are checked.
    ///
    /// # Errors
    /// They are wrong, or there is too much.
    pub fn finish(mut self) -> Result<()> {
        let rest = self.budget.copy(&mut self.input, &mut io::sink());
        rest.map(drop).context("read to the end")
    }

    /// The next block that is a header; `None` at the end.
    fn header(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block.is_zero() {
            // One is enough where the archive ends with it. Two, otherwise.
            let is_end = self.block()?.is_none_or(|next| next.is_zero());
            ensure!(is_end, "it goes on after a block of zeros");
            return Ok(None);
        }
        match self.is_tar {
            _ if block.is_header() => {}
            true => bail!("it is damaged: a header has a wrong checksum"),
            false => bail!("it is no tar archive"),
        }
        self.is_tar = true;
        Ok(Some(block))
    }

    /// Puts an entry together from its header and what stood before that.
    fn assemble(&mut self, header: &Block, before: Before) -> Result<Entry> {
        self.budget.enter()?;
        let mut records = self.global.clone();
        records.update(before.records);
        let name = match records.text("GNU.sparse.name")? {
            Some(name) => name.to_vec(),
            None => match (records.text("path")?, before.name) {
                (Some(path), _) => path.to_vec(),
                (None, Some(name)) => name,
                (None, None) => header.name(),
            },
        };
        let link = match (records.text("linkpath")?, before.link) {
            (Some(path), _) => path.to_vec(),
            (None, Some(link)) => link,
            (None, None) => header.link().to_vec(),
        };
        self.budget.name(name.len().max(link.len()) as u64)?;
        let named = || {
            let name = String::from_utf8_lossy(&name);
            format!("read the entry {}", crate::text::quoted(&*name))
        };
        let kind = kind_of(header.kind(), &name).with_context(named)?;
        let size = match records.number("size")? {
            Some(size) => size,
            None => header.size()?,
        };
        let map = self.map(header, &records, size).with_context(named)?;
        let (attributes, others) = attributes(&records)?;
        let time = Time { seconds: header.time()?, nanoseconds: 0 };
        Ok(Entry {
            kind,
            mode: header.mode()?,
            owner: owner(header, &records)?,
            time: records.time()?.unwrap_or(time),
            name,
            link,
            map,
            attributes,
            others,
        })
    }

    /// Finds out how many bytes follow, and where they belong.
    fn map(
        &mut self,
        header: &Block,
        records: &Records,
        size: u64,
    ) -> Result<Map> {
        match header.kind() {
            b'0' | b'\0' | b'7' => {}
            b'S' => {
                let budget = self.budget;
                let next = || self.whole_block();
                let map = sparse::from_header(header, budget, next)?;
                self.contents(size)?;
                map.check(size)?;
                return Ok(map);
            }
            b'1' if size > 0 => {
                self.behind_a_link(size)?;
                return Ok(whole(0));
            }
            // The names in a folder, for GNU tar's own use.
            b'D' => {
                self.contents(size)?;
                return Ok(whole(0));
            }
            // These have no contents, whatever their size says (pax(1)).
            _ => return Ok(whole(0)),
        }
        self.contents(size)?;
        let map = match sparse::from_records(records, self.budget)? {
            Place::None => return Ok(whole(size)),
            Place::Read(map) => map,
            Place::InFront(real) => {
                let budget = self.budget;
                let next = || self.whole_block();
                let (pieces, taken) = sparse::in_front(budget, next)?;
                let left = size.checked_sub(taken);
                self.contents(left.context("a map beyond its contents")?)?;
                Map { size: real, pieces }
            }
        };
        map.check(self.left)?;
        Ok(map)
    }

    /// A hard link has no contents, but for pax(1) and cpio, who repeat the
    /// file's. Old programs wrote its size and no contents. So what follows
    /// decides: a header, or anything else.
    fn behind_a_link(&mut self, size: u64) -> Result<()> {
        let Some(block) = self.block()? else { return Ok(()) };
        if block.is_zero() || block.is_header() {
            self.peeked = Some(block);
            return Ok(());
        }
        let whole = size.checked_next_multiple_of(BLOCK as u64);
        self.left = whole.context("its size")? - BLOCK as u64;
        self.padding = 0;
        Ok(())
    }

    /// Notes that so many bytes of contents follow: too many are refused
    /// before the first of them is on the disk.
    fn contents(&mut self, size: u64) -> Result<()> {
        self.budget.afford(size)?;
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(())
    }

    /// Passes over what is left of the contents.
    fn skip(&mut self) -> Result<()> {
        let mut buffer = [0; 1 << 14];
        while self.read(&mut buffer)? > 0 {}
        let padding = usize::try_from(self.padding)?;
        self.padding = 0;
        match self.fill_up(&mut buffer[..padding])? {
            // Some programs leave out what fills the last block.
            0 => Ok(()),
            count if count == padding => Ok(()),
            _ => bail!("the archive is cut short"),
        }
    }

    /// A name that was too long for its field.
    fn long(&mut self, size: u64) -> Result<Vec<u8>> {
        self.budget.name(size)?;
        let name = self.all(size)?;
        Ok(text(&name).to_vec())
    }

    fn records(&mut self, size: u64) -> Result<Records> {
        self.budget.header(size)?;
        let header = self.all(size)?;
        Records::parse(&header, self.budget)
            .context("understand an extended header")
    }

    /// Contents of a size that has been allowed.
    fn all(&mut self, size: u64) -> Result<Vec<u8>> {
        // It grows with what comes, not with what was promised.
        let mut all = Vec::new();
        let mut buffer = [0; 1 << 14];
        self.contents(size)?;
        loop {
            match self.read(&mut buffer)? {
                0 => break,
                count => all.extend(&buffer[..count]),
            }
        }
        self.skip()?;
        Ok(all)
    }

    fn whole_block(&mut self) -> Result<Block> {
        self.block()?.context("the archive is cut short")
    }

    /// The next block; `None` at the end of the file.
    fn block(&mut self) -> Result<Option<Block>> {
        if let Some(block) = self.peeked.take() {
            return Ok(Some(block));
        }
        let mut block = Block([0; BLOCK]);
        match self.fill_up(&mut block.0)? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ if self.is_tar => bail!("the archive is cut short"),
            _ => bail!("it is no tar archive"),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let count = self.fill_up(buffer)?;
        let missing = buffer.len() - count;
        ensure!(
            missing == 0,
            "the archive is cut short: {missing} bytes and more are missing"
        );
        Ok(())
    }

    /// Reads as much as there is, and pays for it.
    fn fill_up(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut count = 0;
        while count < buffer.len() {
            match self.input.read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read the archive"),
            }
        }
        self.budget.spend(count as u64)?;
        Ok(count)
    }
}

fn whole(size: u64) -> Map {
    Map { size, pieces: vec![Piece { offset: 0, length: size }] }
}

/// What a letter means.
fn kind_of(letter: u8, name: &[u8]) -> Result<Kind> {
    Ok(match letter {
        // Before 1988 a folder was a file whose name ends in a slash.
        b'0' | b'\0' | b'7' if name.ends_with(b"/") => Kind::Folder,
        b'0' | b'\0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::Link,
        b'2' => Kind::Symlink,
        b'3' | b'4' => Kind::Device,
        b'5' | b'D' => Kind::Folder,
        b'6' => Kind::Fifo,
        b'M' => bail!(
            "it is the rest of a file from another volume: put the volumes \
             together first"
        ),
        other => bail!("type {:?} is not known here", char::from(other)),
    })
}

/// Owner and group: the numbers, since the names are those of another machine.
fn owner(header: &Block, records: &Records) -> Result<(i64, i64)> {
    let (uid, gid) = header.owner()?;
    let of = |key| -> Result<Option<i64>> {
        let number = records.number(key)?;
        Ok(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
    };
    Ok((of("uid")?.unwrap_or(uid), of("gid")?.unwrap_or(gid)))
}

/// Name and value.
pub type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

/// Extended attributes as star, GNU tar and Docker write them; libarchive has
/// a second form beside it. What else there is, access lists and labels, is
/// counted.
fn attributes(records: &Records) -> Result<(Attributes, u64)> {
    let mut found = Attributes::new();
    for (name, value) in records.all("SCHILY.xattr.") {
        ensure!(!name.contains(&0), "an attribute with a zero byte");
        found.insert(name.to_vec(), value.to_vec());
    }
    let lists = records.all("SCHILY.acl.").chain(records.all("RHT.security."));
    let others = lists.filter(|(_, value)| !value.is_empty()).count();
    let seconds = records.all("LIBARCHIVE.xattr.");
    let alone = seconds.filter(|(name, _)| !found.contains_key(*name));
    let others = others + alone.count();
    Ok((found, others as u64))
}
