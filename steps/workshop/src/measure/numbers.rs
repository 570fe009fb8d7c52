//! Statistics of many times.

/// The median of some times, and the range of the middle half of them.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// A quarter of them are shorter.
    pub low: f64,
    /// Half of them are shorter.
    pub median: f64,
    /// A quarter of them are longer.
    pub high: f64,
    /// How many there are.
    pub count: usize,
}

impl Spread {
    /// `None` if there are no times.
    #[must_use]
    pub fn of(mut times: Vec<f64>) -> Option<Spread> {
        times.sort_by(f64::total_cmp);
        let last = times.len().checked_sub(1)?;
        let at = |part: usize| times[(last * part + 2) / 4];
        Some(Spread {
            low: at(1),
            median: at(2),
            high: at(3),
            count: times.len(),
        })
    }

    /// How far off the median would be if all were measured again, 19 times
    /// out of 20: the notch of a box plot (McGill, Tukey, Larsen 1978).
    #[must_use]
    pub fn doubt(&self) -> f64 {
        // The number of rounds is far below 2^52.
        1.57 * (self.high - self.low) / (self.count as f64).sqrt()
    }
}

/// How much more one takes than another: round by round, because in one round
/// both had the same neighbours and the same load.
#[must_use]
pub fn difference(
    one: &[Option<f64>],
    other: &[Option<f64>],
) -> Option<Spread> {
    let pairs = one.iter().zip(other);
    let both = pairs.filter_map(|(one, other)| Some((*one)? - (*other)?));
    Spread::of(both.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_half_of_five() {
        let spread = Spread::of(vec![9.0, 1.0, 3.0, 2.0, 100.0]).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 9.0));
        assert!(Spread::of(vec![]).is_none());
        assert_eq!(Spread::of(vec![1.5]).unwrap().doubt(), 0.0);
    }

    #[test]
    fn differences_are_taken_within_a_round() {
        // A machine that slows down all the time: the medians say 10 or more,
        // the pairs say 1.
        let one = [Some(2.0), Some(12.0), None, Some(102.0)];
        let other = [Some(1.0), Some(11.0), Some(50.0), Some(101.0)];
        let spread = difference(&one, &other).unwrap();
        assert_eq!((spread.median, spread.count), (1.0, 3));
        assert!(difference(&one, &[None]).is_none());
    }
}
