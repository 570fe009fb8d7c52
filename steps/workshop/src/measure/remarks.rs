//! The remarks below the table.

use std::fs;
use std::path::Path;

use super::numbers::Spread;
use super::row::Row;
use crate::rootfs::store::target;

/// How to read the table, and what to make of it.
#[must_use]
pub fn remarks(rows: &[Row<'_>]) -> Vec<String> {
    let mut texts = vec![
        "ms: median from start to end of `true`. adds: more than the rung \
         below, in the same round. MiB: of all processes while `cat` waits, \
         shared pages shared. *: with --network none, for the cable would \
         drown the rest."
            .to_owned(),
    ];
    let cpu = cpu();
    texts.push(machine(&cpu));
    texts.extend(emulation(&cpu).map(str::to_owned));
    if rows.iter().any(|row| row.name == "scripts/vm") {
        texts.extend(acceleration(&accel()).map(str::to_owned));
    }
    texts.push(noise(rows));
    if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        let text = "No cgroup version 2 here: step07 and above run without \
                    handcuffs, so what those add is not in the numbers.";
        texts.push(text.to_owned());
    }
    texts
}

/// The value in a line such as `NAME="value"` or `name : value`.
fn value(text: &str, name: &str, sign: char) -> Option<String> {
    let fields = text.lines().filter_map(|line| line.split_once(sign));
    let mut fields = fields.filter(|(key, _)| key.trim() == name);
    fields.next().map(|(_, value)| value.trim().replace('"', ""))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn cpu() -> String {
    // On aarch64 no model is named there, but the board is elsewhere.
    let board = read("/proc/device-tree/model");
    let board = board.trim_end_matches('\0');
    let board = (!board.is_empty()).then(|| board.to_owned());
    let model = value(&read("/proc/cpuinfo"), "model name", ':').or(board);
    model.unwrap_or_else(|| "a CPU without a name".to_owned())
}

/// The machine: the numbers hold for no other one.
fn machine(cpu: &str) -> String {
    let system = value(&read("/etc/os-release"), "PRETTY_NAME", '=');
    format!(
        "Machine: {cpu}, Linux {} for {}, {}.",
        read("/proc/sys/kernel/osrelease").trim(),
        std::env::consts::ARCH,
        system.as_deref().unwrap_or("a distribution without a name"),
    )
}

/// QEMU names the processor that it plays itself after its translator, TCG.
fn emulation(cpu: &str) -> Option<&'static str> {
    cpu.contains("TCG").then_some(
        "This machine is emulated, without KVM: all takes many times longer \
         than on a real one, and making a process most of all. Compare \
         ratios.",
    )
}

/// What scripts/vm has found out about this host, or was told to take.
fn accel() -> String {
    let noted = || {
        let target = target().ok()?;
        fs::read_to_string(target.join("vm/accel")).ok()
    };
    let told = std::env::var("VM_ACCEL").ok();
    told.or_else(noted).unwrap_or_default()
}

fn acceleration(accel: &str) -> Option<&'static str> {
    match accel.trim() {
        "kvm" => Some("scripts/vm: with KVM."),
        "tcg" => Some("scripts/vm: without KVM, its processor is emulated."),
        _ => None,
    }
}

/// How much of the result is chance.
fn noise(rows: &[Row<'_>]) -> String {
    let plain = rows.iter().find(|row| row.name == "plain");
    let times = plain.map(|row| row.timing.times.as_slice());
    let times = times.unwrap_or_default();
    let half = |times: &[Option<f64>]| {
        let spread = Spread::of(times.iter().flatten().copied().collect());
        spread.map_or(f64::NAN, |spread| spread.median)
    };
    let (first, second) = times.split_at(times.len() / 2);
    let drift = (half(second) / half(first) - 1.0) * 100.0;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let drift = match drift.is_finite() {
        true => format!(
            "from the first half of the rounds to the second the plain \
             process changed by {drift:+.0} %; "
        ),
        false => String::new(),
    };
    format!(
        "Noise: {drift}load {load} on {cpus} CPUs. Whatever is less than its \
         ± may be nothing."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulated_processor_is_told() {
        assert!(emulation("QEMU TCG CPU version 2.5+").is_some());
        assert!(emulation("AMD EPYC").is_none());
        assert!(acceleration("kvm\n").expect("known").contains("with KVM"));
        assert!(acceleration("tcg\n").expect("known").contains("without"));
        assert_eq!(acceleration(""), None);
    }
}
