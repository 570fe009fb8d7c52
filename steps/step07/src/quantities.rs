//! Quantities, as they are written on the command line.

use std::fmt;

/// A number of bytes, or `max` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub Option<u64>);

impl Bytes {
    /// What a container gets when nothing is said.
    pub const DEFAULT_MEMORY: Bytes = Bytes(Some(256 << 20));
    /// A process needs some pages for its stacks and page tables before it
    /// can execute anything.
    const LEAST_MEMORY: u64 = 512 << 10;

    /// Reads a number with a suffix: K, M and G are powers of 1024.
    ///
    /// # Errors
    /// No number, another suffix, or too large for 64 bits.
    pub fn parse(text: &str) -> Result<Bytes, String> {
        if text == "max" {
            return Ok(Bytes(None));
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" | "B" | "b" => 0,
            "K" | "k" => 10,
            "M" | "m" => 20,
            "G" | "g" => 30,
            _ => return Err("write a number of bytes, or 64K, 64M, 1G".into()),
        };
        let number = digits.parse::<u64>();
        let number = number.map_err(|error| format!("{digits:?}: {error}"))?;
        match number.checked_mul(1 << shift) {
            Some(bytes) if bytes > 0 => Ok(Bytes(Some(bytes))),
            _ => Err("that is none, or more than 64 bits can count".into()),
        }
    }

    /// The same, for memory.
    ///
    /// # Errors
    /// Also less than a process needs to start at all.
    pub fn parse_memory(text: &str) -> Result<Bytes, String> {
        match Bytes::parse(text)? {
            Bytes(Some(bytes)) if bytes < Bytes::LEAST_MEMORY => Err(format!(
                "a container cannot even start with less than {}",
                human(Bytes::LEAST_MEMORY)
            )),
            bytes => Ok(bytes),
        }
    }
}

/// A number of CPUs, or `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpus(pub Option<f64>);

impl Cpus {
    /// What a container gets when nothing is said.
    pub const ONE: Cpus = Cpus(Some(1.0));

    /// Reads a decimal number.
    ///
    /// # Errors
    /// Less than 0.01: the kernel takes no quota below 1 ms of 100.
    pub fn parse(text: &str) -> Result<Cpus, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Cpus(None)),
            Ok(cpus) if (0.01..=10_000.0).contains(&cpus) => {
                Ok(Cpus(Some(cpus)))
            }
            Ok(_) => Err("the kernel gives at least 0.01 of a CPU".into()),
            Err(_) => Err("write a number of CPUs, such as 0.5".into()),
        }
    }
}

/// A number of processes and threads, or `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids(pub Option<u32>);

impl Pids {
    /// What a container gets when nothing is said.
    pub const DEFAULT: Pids = Pids(Some(128));

    /// Reads a number.
    ///
    /// # Errors
    /// Zero, which leaves no room for the command itself, and more than the
    /// kernel has numbers for (2^22).
    pub fn parse(text: &str) -> Result<Pids, String> {
        match text.parse::<u32>() {
            _ if text == "max" => Ok(Pids(None)),
            Ok(0) => Err("the command itself is a process already".into()),
            Ok(pids) if pids <= 1 << 22 => Ok(Pids(Some(pids))),
            Ok(_) => Err("the kernel has 4194304 numbers at most".into()),
            Err(_) => Err("write a number of processes".into()),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{bytes}"),
            None => f.write_str("max"),
        }
    }
}

impl fmt::Display for Pids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pids) => write!(f, "{pids}"),
            None => f.write_str("max"),
        }
    }
}

/// A number of bytes for people: 1536 is 1.5K.
pub fn human(bytes: u64) -> String {
    let units = [("G", 30), ("M", 20), ("K", 10)];
    let unit = units.iter().find(|(_, shift)| bytes >= 1 << shift);
    let Some((unit, shift)) = unit else { return format!("{bytes}B") };
    let number = bytes as f64 / f64::from(1u32 << shift);
    match bytes % (1 << shift) {
        0 => format!("{number}{unit}"),
        _ => format!("{number:.1}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let parse = |text: &str| Bytes::parse(text).map(|bytes| bytes.0);
        assert_eq!(parse("64M"), Ok(Some(64 << 20)));
        assert_eq!(parse("1g"), Ok(Some(1 << 30)));
        assert_eq!(parse("4096"), Ok(Some(4096)));
        for (text, shift) in [("1", 0), ("1B", 0), ("1K", 10), ("1M", 20)] {
            assert_eq!(parse(text), Ok(Some(1 << shift)), "{text}");
            let small = text.to_ascii_lowercase();
            assert_eq!(parse(&small), Ok(Some(1 << shift)), "{small}");
        }
        assert_eq!(parse("1G"), Ok(Some(1 << 30)));
        assert_eq!(parse("max"), Ok(None));
        for bad in ["", "M", "64X", "-1", "0", "1.5G", "99999999999G"] {
            assert!(parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn people_read_the_largest_unit() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1K"),
            (1536, "1.5K"),
            (1 << 20, "1M"),
            (64 << 20, "64M"),
            ((1 << 20) + (1 << 19), "1.5M"),
            (1 << 30, "1G"),
            (5 << 29, "2.5G"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_refused_before() {
        assert!(Cpus::parse("0.01").is_ok() && Cpus::parse("0.009").is_err());
        assert!(Cpus::parse("NaN").is_err() && Cpus::parse("inf").is_err());
        assert_eq!(Cpus::parse("max"), Ok(Cpus(None)));
        assert_eq!(Cpus::parse("2.5"), Ok(Cpus(Some(2.5))));
        assert!(Pids::parse("1").is_ok() && Pids::parse("0").is_err());
        assert_eq!(Pids::parse("max"), Ok(Pids(None)));
        assert_eq!(Pids::parse("4194304"), Ok(Pids(Some(4194304))));
        assert!(Pids::parse("4194305").is_err());
        // The reason is the right one.
        let why = |text| Pids::parse(text).expect_err("it is refused");
        assert!(why("0").contains("a process already"), "{}", why("0"));
        assert!(why("4194305").contains("4194304"), "{}", why("4194305"));
        assert!(why("x").contains("number of processes"), "{}", why("x"));
        let why = |text| Cpus::parse(text).expect_err("it is refused");
        assert!(why("0").contains("0.01"), "{}", why("0"));
        assert!(why("x").contains("number of CPUs"), "{}", why("x"));
        assert!(Bytes::parse_memory("512K").is_ok());
        assert!(Bytes::parse_memory("511K").is_err());
        assert_eq!(Bytes::parse_memory("max"), Ok(Bytes(None)));
    }

    #[test]
    fn the_kernel_reads_what_is_written() {
        assert_eq!(Bytes::DEFAULT_MEMORY.to_string(), "268435456");
        assert_eq!(Bytes(None).to_string(), "max");
        assert_eq!(Pids::DEFAULT.to_string(), "128");
        assert_eq!(Pids(None).to_string(), "max");
    }
}
