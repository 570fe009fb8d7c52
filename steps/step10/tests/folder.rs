//! The sealed copy is in no folder, but it works in that of the original.

use std::fs;
use std::path::Path;

use witness::{Folder, Machine, run};

#[test]
fn the_sealed_copy_makes_its_root_beside_the_original() {
    let _machine = Machine::new();
    let folder = Folder::below(Path::new("/var/tmp"));
    let program = folder.join("debug/step10");
    fs::create_dir(folder.join("debug")).expect("make a folder");
    fs::copy(env!("CARGO_BIN_EXE_step10"), &program).expect("copy it");
    let program = program.to_str().expect("a plain path");
    let report = run(program, &["-q", "--network", "none", "true"]);
    assert_eq!(report.status, 0, "{report:?}");
    let root = folder.join("rootfs");
    assert!(root.join("bin").exists(), "{report:?}");
    // It says so, and it is true.
    let said = format!("made {}", root.display());
    assert!(report.stderr.contains(&said), "{report:?}");
}
