//! The users or groups of a user namespace, and their numbers outside.

use std::fmt::{self, Display, Formatter};

/// `uid_map` or `gid_map`, with a line for each range.
///
/// The middle column is relative to the *reader's* namespace
/// (user_namespaces(7), "User and group ID mappings"): what is 100000 for the
/// machine may be 0 for a reader inside. Before anything is written to it, a
/// map is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap(pub Vec<Range>);

/// So many numbers in a row. None is above 2³², and no sum of two overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first one inside.
    pub inside: u64,
    /// The first one outside.
    pub outside: u64,
    /// How many there are.
    pub count: u64,
}

impl IdMap {
    /// Reads the lines of the file.
    pub fn parse(text: &str) -> IdMap {
        IdMap(text.lines().filter_map(Range::parse).collect())
    }

    /// The number outside for one of the namespace; `None` if it is not
    /// mapped: it shows as 65534.
    pub fn outside(&self, inside: u64) -> Option<u64> {
        let shift = |range: &Range| {
            let steps = inside.checked_sub(range.inside)?;
            (steps < range.count).then(|| range.outside + steps)
        };
        self.0.iter().find_map(shift)
    }

    /// The number in the namespace for one outside.
    pub fn inside(&self, outside: u64) -> Option<u64> {
        let shift = |range: &Range| {
            let steps = outside.checked_sub(range.outside)?;
            (steps < range.count).then(|| range.inside + steps)
        };
        self.0.iter().find_map(shift)
    }

    /// How many numbers are mapped.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|range| range.count).sum()
    }

    /// Is it that of the first user namespace, the machine's, which has all
    /// numbers as they are?
    pub fn is_the_machines(&self) -> bool {
        self.outside(0) == Some(0) && self.count() == u32::MAX.into()
    }
}

impl Range {
    fn parse(line: &str) -> Option<Range> {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let mut next = || Some(u64::from(numbers.next()?.ok()?));
        Some(Range { inside: next()?, outside: next()?, count: next()? })
    }
}

impl Display for Range {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.inside, self.outside, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_mapped_by_the_range_that_has_it() {
        let text = "         0       1000          1\n\
                    \x20        1     100000      65536\n";
        let map = IdMap::parse(text);
        let pairs = [(0, 1000), (1, 100_000), (65_536, 165_535)];
        for (inside, outside) in pairs {
            assert_eq!(map.outside(inside), Some(outside));
            assert_eq!(map.inside(outside), Some(inside));
        }
        assert_eq!(map.outside(65_537), None, "one beyond the last");
        assert_eq!(map.inside(0), None, "the machine's root");
        assert_eq!(map.count(), 65_537);
        assert_eq!(map.0[1].to_string(), "1 100000 65536");
    }

    #[test]
    fn the_machines_own_map_has_everybody_and_an_unwritten_one_nobody() {
        let all = IdMap::parse("         0          0 4294967295\n");
        assert_eq!(all.outside(4_294_967_294), Some(4_294_967_294));
        let unwritten = IdMap::parse("");
        assert_eq!(unwritten.outside(0), None);
        assert_eq!(unwritten.count(), 0);
        assert!(all.is_the_machines());
        for other in ["", "0 0 65536\n", "0 1 4294967295\n"] {
            assert!(!IdMap::parse(other).is_the_machines(), "{other:?}");
        }
    }
}
