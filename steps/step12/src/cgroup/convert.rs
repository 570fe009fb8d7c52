//! Numbers of cgroup v1, in which config.json speaks, as those of v2.

use anyhow::{Result, bail};

/// cpu.shares (2 to 262144, usually 1024) as cpu.weight (1 to 10000, usually
/// 100). Nothing for 0, which engines send for "not said".
///
/// A straight line through both ends makes 1024 to 39: a container with the
/// usual shares would get less than half of what a service with the usual
/// weight gets. So all runtimes take the curve that leads through both ends
/// *and* from 1024 to 100: with l = log2(shares), the weight is
/// 10 ^ ((l² + 125 l) / 612 - 7/34), rounded up.
pub(crate) fn weight_of_shares(shares: u64) -> Option<u64> {
    match shares {
        0 => None,
        1..=2 => Some(1),
        262_144.. => Some(10_000),
        _ => {
            let l = (shares as f64).log2();
            let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
            Some(10f64.powf(exponent).ceil() as u64)
        }
    }
}

/// blkio.weight (10 to 1000) as io.weight (1 to 10000): a straight line.
pub(crate) fn weight_of_block_io(weight: u16) -> u64 {
    1 + (u64::from(weight).max(10) - 10) * 9999 / 990
}

/// memory.swap.max, in bytes, or `max`. v1 limits memory *and* swap, v2 swap
/// alone: so the limit of memory is taken from the sum. Nothing if swap stays
/// as it is.
///
/// `limit` and `swap` are as in config.json: -1 is no limit, 0 is not said.
///
/// # Errors
/// A sum that is less than the memory, or of which the memory is not known.
pub(crate) fn swap(limit: i64, swap: i64) -> Result<Option<String>> {
    Ok(match (limit, swap) {
        // Who takes the limit from memory means swap as well.
        (-1, 0) | (_, -1) => Some("max".into()),
        (_, 0) => None,
        (-1, sum) => Some(sum.to_string()),
        (0, _) => bail!("swap has no limit without memory.limit"),
        (limit, sum) if sum < limit => {
            bail!("{sum} of memory and swap is less than memory.limit {limit}")
        }
        (limit, sum) => Some((sum - limit).to_string()),
    })
}

/// A number in bytes of which 0 is not said and -1 is no limit.
pub(crate) fn or_max(bytes: i64) -> Option<String> {
    match bytes {
        0 => None,
        -1 => Some("max".into()),
        bytes => Some(bytes.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_a_weight() {
        for (shares, weight) in [
            (1, 1),
            (2, 1),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(weight_of_shares(shares), Some(weight), "{shares}");
        }
        assert_eq!(weight_of_shares(0), None);
        let mut weights = (1..=262_144).map(weight_of_shares);
        assert!(weights.clone().is_sorted(), "more shares are less weight");
        assert!(weights.all(|weight| weight >= Some(1)));
    }

    #[test]
    fn a_weight_for_disks_is_in_range() {
        let weights = [10, 100, 500, 1000].map(weight_of_block_io);
        assert_eq!(weights, [1, 910, 4950, 10_000]);
        assert_eq!(weight_of_block_io(0), 1, "no subtraction below zero");
    }

    #[test]
    fn swap_is_the_sum_without_the_memory() {
        let text = |limit, sum| swap(limit, sum).expect("a number");
        assert_eq!(text(64, 100).as_deref(), Some("36"));
        assert_eq!(text(64, 64).as_deref(), Some("0"));
        assert_eq!(text(64, 0), None);
        assert_eq!(text(64, -1).as_deref(), Some("max"));
        assert_eq!(text(-1, 0).as_deref(), Some("max"));
        assert_eq!(text(-1, 50).as_deref(), Some("50"));
        assert!(swap(64, 63).is_err() && swap(0, 64).is_err());
    }
}
