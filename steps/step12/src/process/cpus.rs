//! On which CPUs a process may run: sched_setaffinity(2).

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::flags::Host;

/// Has a process run on these CPUs (`0-1,3`) only; 0 is the caller. Without any
/// it stays as it is.
///
/// # Errors
/// EINVAL when the machine has none of them, and for what is no list.
pub fn run_on(process: Pid, cpus: &str, host: &Host) -> Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let wrong = || format!("process.execCPUAffinity: {cpus:?}");
    let numbers = read(cpus).with_context(wrong)?;
    let mut set = CpuSet::new();
    for &number in &numbers {
        set.set(number).with_context(wrong)?;
    }
    let mask = numbers.iter().filter(|&&it| it < 128);
    let mask = mask.fold(0u128, |mask, number| mask | 1 << number);
    host.log.debug(&format!("affinity: {mask:#x}"));
    sched_setaffinity(process, &set).with_context(wrong)
}

fn read(cpus: &str) -> Result<Vec<usize>> {
    let mut numbers = Vec::new();
    for range in cpus.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<usize>();
        let (first, last) = (number(first)?, number(last)?);
        let most = CpuSet::count();
        ensure!(first <= last && last < most, "no such CPUs: {range}");
        numbers.extend(first..=last);
    }
    Ok(numbers)
}
