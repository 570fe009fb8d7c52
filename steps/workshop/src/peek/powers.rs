//! The capabilities by name.

use std::fs;

use step10::capabilities::Set;

/// Those in the set; one that is newer than step10's table, by its number.
pub fn names(set: u64) -> Vec<String> {
    let names = Set(set).to_string().to_uppercase();
    names.split_whitespace().map(str::to_owned).collect()
}

/// Those that the running kernel knows and the set lacks.
pub fn missing(set: u64) -> Vec<String> {
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap");
    let last = last.ok().and_then(|last| last.trim().parse().ok());
    let all = u64::MAX >> (63 - last.unwrap_or(40u32).min(63));
    names(all & !set)
}
