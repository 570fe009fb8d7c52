//! Ranges of users or groups, inside and outside.

/// A range of users or groups: `count` numbers from `inside` on stand for
/// those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The first number as the container sees it.
    pub inside: u32,
    /// The first number as the machine sees it.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl Mapping {
    /// Only root inside, as one number outside.
    pub(crate) fn root_as(outside: u32) -> Mapping {
        Mapping { inside: 0, outside, count: 1 }
    }

    /// Reads `INSIDE:OUTSIDE:COUNT`.
    ///
    /// # Errors
    /// Anything else, no numbers at all, or more than there are.
    pub fn parse(text: &str) -> Result<Mapping, String> {
        let numbers = text.split(':').map(str::parse);
        let numbers = numbers.collect::<Result<Vec<u32>, _>>();
        let Ok([inside, outside, count]) = numbers.as_deref() else {
            return Err("write INSIDE:OUTSIDE:COUNT, three numbers".into());
        };
        let (inside, outside, count) = (*inside, *outside, *count);
        let is_small = inside.checked_add(count).is_some()
            && outside.checked_add(count).is_some();
        match count > 0 && is_small {
            true => Ok(Mapping { inside, outside, count }),
            false => Err(format!("there are no {count} such numbers")),
        }
    }

    /// The number outside for one inside.
    fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside)?;
        (offset < self.count).then(|| self.outside + offset)
    }

    /// Does this number outside stand for one inside?
    fn has(&self, outside: u32) -> bool {
        let offset = outside.checked_sub(self.outside);
        offset.is_some_and(|offset| offset < self.count)
    }
}

/// The number outside that stands for `inside`, if any does.
pub fn outside_of(mappings: &[Mapping], inside: u32) -> Option<u32> {
    mappings.iter().find_map(|mapping| mapping.outside_of(inside))
}

/// Is `outside` anybody inside, or nobody?
pub fn is_inside(mappings: &[Mapping], outside: u32) -> bool {
    mappings.iter().any(|mapping| mapping.has(outside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_three_numbers_that_exist() {
        let whole = Mapping { inside: 0, outside: 100_000, count: 65_536 };
        assert_eq!(Mapping::parse("0:100000:65536"), Ok(whole));
        for bad in ["", "0:1", "0:1:0", "0:1:x", "0:4294967295:2", "0:0:1:1"] {
            assert!(Mapping::parse(bad).is_err(), "{bad} was taken");
        }
        assert!(Mapping::parse("4294967295:0:1").is_err());
        assert!(Mapping::parse("4294967294:0:1").is_ok(), "the control");
        let root = Mapping { inside: 0, outside: 7, count: 1 };
        assert_eq!(Mapping::root_as(7), root);
        let some = Mapping { inside: 2, outside: 10, count: 3 };
        let all = [0, 1, 2, 3, 4, 5].map(|it| outside_of(&[root, some], it));
        let right = [Some(7), None, Some(10), Some(11), Some(12), None];
        assert_eq!(all, right);
        let numbers = [6, 7, 8, 9, 10, 12, 13];
        let all = numbers.map(|outside| is_inside(&[root, some], outside));
        assert_eq!(all, [false, true, false, false, true, true, false]);
        assert_eq!(outside_of(&[whole], 65_535), Some(165_535));
        assert_eq!(outside_of(&[whole], 65_536), None);
    }
}
