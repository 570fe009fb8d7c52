//! The 512 bytes with which each entry of a tar archive begins.
//!
//! Source: pax(1), "ustar Interchange Format"; GNU tar's manual, "Basic Tar
//! Format"; tar(5) of libarchive for what others have written.

use anyhow::{Context, Result, ensure};

/// How long a block is.
pub const BLOCK: usize = 512;

/// A block that is a header, or may be one.
#[derive(Clone)]
pub struct Block(pub [u8; BLOCK]);

impl Block {
    /// Two of these end an archive.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; BLOCK]
    }

    /// Is its checksum right? The bytes are summed with blanks in place of the
    /// sum itself. Some old programs took them for signed.
    #[must_use]
    pub fn is_header(&self) -> bool {
        let Ok(wanted) = number(&self.0[148..156]) else { return false };
        let (mut unsigned, mut signed) = (0, 0);
        for byte in self.0 {
            unsigned += i64::from(byte);
            signed += i64::from(i8::from_ne_bytes([byte]));
        }
        for byte in &self.0[148..156] {
            unsigned += 32 - i64::from(*byte);
            signed += 32 - i64::from(i8::from_ne_bytes([*byte]));
        }
        wanted == unsigned || wanted == signed
    }

    /// The letter that says what the entry is.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.0[156]
    }

    /// The name, with the prefix that POSIX put in front of it. GNU tar has
    /// other things in that place; star uses the end of it.
    #[must_use]
    pub fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let is_star = &self.0[508..] == b"tar\0";
        let prefix = &self.0[345..if is_star { 476 } else { 500 }];
        match (&self.0[257..263] == b"ustar\0", text(prefix)) {
            (true, prefix) if !prefix.is_empty() => {
                [prefix, b"/", name].concat()
            }
            _ => name.to_vec(),
        }
    }

    /// What a link leads to.
    #[must_use]
    pub fn link(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    /// The permissions.
    pub fn mode(&self) -> Result<u32> {
        // Old programs put the type of the file above them.
        let mode = number(&self.0[100..108]).context("its mode")?;
        Ok(u32::try_from(mode & 0o7777)?)
    }

    /// The numbers of owner and group.
    pub fn owner(&self) -> Result<(i64, i64)> {
        let uid = number(&self.0[108..116]).context("its owner")?;
        let gid = number(&self.0[116..124]).context("its group")?;
        Ok((uid, gid))
    }

    /// How many bytes follow.
    pub fn size(&self) -> Result<u64> {
        let size = number(&self.0[124..136]).context("its size")?;
        u64::try_from(size).context("its size is negative")
    }

    /// When the file was changed, in seconds since 1970.
    pub fn time(&self) -> Result<i64> {
        number(&self.0[136..148]).context("its time")
    }
}

/// A field up to its first zero byte.
#[must_use]
pub fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A number: octal digits with blanks around them; or, what does not fit
/// there, base 256 with the highest bit set, in two's complement.
pub fn number(field: &[u8]) -> Result<i64> {
    let (first, rest) = field.split_first().context("no number")?;
    if first & 0x80 != 0 {
        // Of the first byte, bit 7 is the mark and bit 6 the sign.
        let start = match first & 0x40 {
            0 => i128::from(first & 0x3f),
            _ => i128::from(first | 0x80) - 256,
        };
        let value = rest.iter().try_fold(start, |value, byte| {
            value.checked_mul(256)?.checked_add(i128::from(*byte))
        });
        let value = value.and_then(|value| i64::try_from(value).ok());
        return value.context("a number of more than 63 bits");
    }
    let digits = text(field).trim_ascii();
    let is_octal = digits.iter().all(|byte| (b'0'..=b'7').contains(byte));
    ensure!(is_octal, "{:?} is no octal number", digits.escape_ascii());
    let value = digits.iter().try_fold(0i64, |value, digit| {
        value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))
    });
    value.context("a number of more than 63 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_tar_writes_them() -> Result<()> {
        for (field, value) in [
            (&b"0000644\0"[..], 0o644),
            (b"   644 \0", 0o644),
            (b"\0\0\0\0\0\0\0\0", 0),
            (b"77777777777\0", 0o77_777_777_777),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", 256),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", -2),
        ] {
            assert_eq!(number(field)?, value, "{}", field.escape_ascii());
        }
        for wrong in [&b"8\0"[..], b"-1\0", b"0x1\0", &[0x80, 255].repeat(6)] {
            number(wrong).expect_err("it is no number");
        }
        Ok(())
    }
}
