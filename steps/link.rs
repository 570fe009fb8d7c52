//! How a rung's program is linked, said while cargo builds it: with the C
//! library itself (a static program), and not with its address. Each container
//! starts this program, some of it twice, and then nothing has to be found,
//! mapped and bound first: that saves step00 a sixth of its time.
//!
//! Rust has a switch for it, `+crt-static`. But cargo would build with it what
//! runs inside the compiler as well, which cannot be static, unless each
//! `cargo build` names a target. So two things are told to the linker here. The
//! kind of program is one. And as Rust always asks for the shared C library by
//! its short name, there is a folder where the linker looks first, in which
//! that name leads to the archive.

use std::env::var;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Does nothing where the C library has no archive: then the program is linked
/// as Rust does it by itself, and starts a little later.
pub fn main() {
    println!("cargo::rerun-if-changed=../link.rs");
    let is = |name, value| var(name).as_deref() == Ok(value);
    let features = var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let is_static = features.split(',').any(|it| it == "crt-static");
    if !is("CARGO_CFG_TARGET_OS", "linux")
        || !is("CARGO_CFG_TARGET_ENV", "gnu")
        || is_static
    {
        return;
    }
    let found: Option<Vec<_>> =
        ["libc.a", "libm.a"].map(find).into_iter().collect();
    let Some(archives) = found else { return };
    let folder = format!("{}/first", var("OUT_DIR").expect("cargo names it"));
    fs::create_dir_all(&folder).expect("make a folder");
    for (name, path) in archives {
        // A text in place of an archive is a script for the linker. The C
        // library calls functions of the compiler's own, and they call it.
        let script = format!("GROUP(\"{path}\" -lgcc -lgcc_eh)\n");
        fs::write(format!("{folder}/{name}"), script)
            .expect("write a script for the linker");
    }
    // At an address that the kernel chooses anew each time, as without this.
    println!("cargo::rustc-link-arg-bins=-static-pie");
    println!("cargo::rustc-link-arg-bins=-L{folder}");
}

/// Where the C compiler that links finds one of its archives. It gives the bare
/// name back when there is none.
fn find(name: &'static str) -> Option<(&'static str, String)> {
    let linker = var("RUSTC_LINKER").unwrap_or("cc".into());
    let mut asked = Command::new(linker);
    let answer =
        asked.arg(format!("-print-file-name={name}")).output().ok()?;
    let path = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    Path::new(&path).is_absolute().then_some((name, path))
}
