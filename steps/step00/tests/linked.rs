//! How a rung's program is linked (steps/link.rs): nothing is loaded beside it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use witness::{Machine, start};

const STEP00: &str = env!("CARGO_BIN_EXE_step00");

/// The files that are mapped into a process's memory, but for the kernel's own
/// in brackets: /proc/PID/maps.
fn mapped(pid: i32) -> BTreeSet<String> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"));
    let maps = maps.expect("its maps");
    let names = maps.lines().filter_map(|line| line.split_once('/'));
    names.map(|(_, path)| format!("/{path}")).collect()
}

/// Is there the C library as an archive, which a static program takes?
fn has_archive() -> bool {
    let asked = Command::new("cc").arg("-print-file-name=libc.a").output();
    asked.is_ok_and(|it| it.stdout.starts_with(b"/"))
}

#[test]
fn a_rung_is_its_program_and_nothing_else() {
    let _machine = Machine::new();
    let running = start(STEP00, &["-q"], "");
    let found = mapped(running.launcher());
    running.end();
    let is_alone = found.len() == 1;
    assert!(is_alone || !has_archive(), "{found:?}");
    // The control: this test is linked as Rust does it by itself, but for
    // another processor, where all is static.
    let own = mapped(std::process::id() as i32);
    let own: Vec<_> = own.iter().map(Path::new).collect();
    let is_c_library = |path: &&Path| {
        path.file_name().is_some_and(|name| name == "libc.so.6")
    };
    let is_shared = own.iter().any(is_c_library);
    assert!(is_shared || cfg!(target_feature = "crt-static"), "{own:?}");
}
