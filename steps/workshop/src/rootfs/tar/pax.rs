//! The records of POSIX's extension: `LENGTH KEY=VALUE` and a newline.
//!
//! A header of them stands before the entry that it is about (`x`), or before
//! all that follow (`g`). What is not known here says nothing that an image
//! needs: comments, inode numbers, times of access.
//!
//! Source: pax(1), "pax Extended Header"; GNU tar's manual, "Sparse Formats";
//! star(5), "SCHILY.xattr".

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};

use super::super::budget::Budget;
use super::Time;

/// Records, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Records(Vec<(Vec<u8>, Vec<u8>)>);

impl Records {
    /// Splits a header.
    ///
    /// # Errors
    /// It is no list of records, or one of them is too long.
    pub fn parse(mut header: &[u8], budget: &Budget) -> Result<Self> {
        let mut records = Vec::new();
        while !header.is_empty() {
            let (record, rest) = split(header)?;
            budget.name(record.len() as u64)?;
            let at = record.iter().position(|byte| *byte == b'=');
            let (key, value) =
                record.split_at(at.context("a record without =")?);
            records.push((key.to_vec(), value[1..].to_vec()));
            header = rest;
        }
        Ok(Self(records))
    }

    /// Adds those of a later header, which win.
    pub fn update(&mut self, later: Self) {
        let new: HashSet<&[u8]> =
            later.0.iter().map(|(key, _)| &key[..]).collect();
        self.0.retain(|(key, _)| !new.contains(&key[..]));
        self.0.extend(later.0);
    }

    /// How many bytes they take, with what it costs to have one.
    #[must_use]
    pub fn size(&self) -> u64 {
        let lengths =
            self.0.iter().map(|(key, value)| 8 + key.len() + value.len());
        lengths.sum::<usize>() as u64
    }

    /// The last value of a key. An empty one takes back what was said before.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let mut found =
            self.0.iter().rev().filter(|(k, _)| k == key.as_bytes());
        found.next().map(|(_, v)| &v[..]).filter(|value| !value.is_empty())
    }

    /// A value that is a number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, key: &str) -> Result<Option<u64>> {
        let number = self.get(key).map(number).transpose();
        number.with_context(|| format!("understand its {key}"))
    }

    /// A value that is a text; a zero byte in it would end it for the kernel.
    ///
    /// # Errors
    /// There is one.
    pub fn text(&self, key: &str) -> Result<Option<&[u8]>> {
        let value = self.get(key);
        let has_zero = value.is_some_and(|value| value.contains(&0));
        ensure!(!has_zero, "its {key} has a zero byte in it");
        Ok(value)
    }

    /// When it was changed.
    ///
    /// # Errors
    /// It is no time.
    pub fn time(&self) -> Result<Option<Time>> {
        let time = self.get("mtime").map(time).transpose();
        time.context("understand its mtime")
    }

    /// All records whose key begins so, without that beginning.
    pub fn all<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.iter().filter_map(move |(key, value)| {
            let rest = key.strip_prefix(prefix.as_bytes())?;
            Some((rest, &value[..]))
        })
    }
}

/// The first record without its length and newline, and what follows it.
fn split(header: &[u8]) -> Result<(&[u8], &[u8])> {
    let blank = header.iter().take(21).position(|byte| *byte == b' ');
    let blank = blank.context("a record without a length")?;
    let length = number(&header[..blank]).context("the length of a record")?;
    let length = usize::try_from(length)?;
    let fits = length > blank + 1 && length <= header.len();
    ensure!(fits, "a record of {length} bytes in {}", header.len());
    let (record, rest) = header.split_at(length);
    let record = record[blank + 1..].strip_suffix(b"\n");
    Ok((record.context("a record without an end")?, rest))
}

/// Decimal digits and nothing else.
pub fn number(text: &[u8]) -> Result<u64> {
    let is_decimal = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| is_decimal);
    let number = number.and_then(|text| text.parse().ok());
    match number {
        Some(number) => Ok(number),
        None => {
            bail!("no number: {}", &text[..text.len().min(40)].escape_ascii())
        }
    }
}

/// Seconds since 1970 with a fraction, before that with a minus.
fn time(text: &[u8]) -> Result<Time> {
    let (is_before, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = text.split_at(point.unwrap_or(text.len()));
    let seconds = i64::try_from(number(whole)?)?;
    let mut nanoseconds = 0;
    for at in 0..9 {
        let digit = fraction.get(at + 1).copied().unwrap_or(b'0');
        ensure!(digit.is_ascii_digit(), "a fraction that is no number");
        nanoseconds = nanoseconds * 10 + i64::from(digit - b'0');
    }
    Ok(match (is_before, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        // The kernel counts nanoseconds forward from the second before.
        (true, _) => Time {
            seconds: -seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions_and_may_lie_before_1970() -> Result<()> {
        for (text, seconds, nanoseconds) in [
            ("12", 12, 0),
            ("12.5", 12, 500_000_000),
            ("12.1234567891", 12, 123_456_789),
            ("-1", -1, 0),
            ("-1.25", -2, 750_000_000),
        ] {
            let time = time(text.as_bytes())?;
            assert_eq!(time, Time { seconds, nanoseconds }, "{text}");
        }
        for wrong in
            ["", "nan", "1e400", "-", "1.x", "--1", "9".repeat(30).as_str()]
        {
            time(wrong.as_bytes()).expect_err(wrong);
        }
        Ok(())
    }
}
