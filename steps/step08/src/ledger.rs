//! What is read back of step08: the filter.

use anyhow::Result;
use step00::{Line, Mark, Reader, Subject};

/// All readers of this rung's ledger.
#[rustfmt::skip]
pub const LEDGER: &[Reader] = &[
    step00::ledger::read, step01::ledger::read, step02::ledger::read,
    step03::ledger::read, step04::ledger::read, step05::ledger::read,
    step06::ledger::read, step07::ledger::read, read,
];

/// Reads the mode and the number of filters from /proc/PID/status
/// (proc_pid_status(5)): mode 2 is "filter".
pub fn read(process: &Subject) -> Result<Vec<Line>> {
    let line = |mark, text| Ok(vec![Line::new(mark, "syscalls", text)]);
    match process.status("Seccomp")?.as_str() {
        "2" => {
            // Since Linux 5.9.
            let count = process.status("Seccomp_filters");
            let count = count.unwrap_or_else(|_| "?".into());
            let text = format!("filtered (filters: {count})");
            line(Mark::Gagged, text)
        }
        mode => line(Mark::Free, format!("may ask for any (mode {mode})")),
    }
}
