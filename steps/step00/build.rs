//! On another operating system the build ends here, with one sentence in place
//! of a hundred errors: all rungs need step00, so none is compiled after this.
//! And what all rungs are linked with is said here.

use std::env::var;
use std::fs;

#[path = "../link.rs"]
mod link;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        println!(
            "cargo::error=A container is a Linux process: on macOS and \
             Windows use the virtual machine that the Vagrantfile describes \
             (vagrant up && vagrant ssh)."
        );
    }
    if var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") {
        link_unwinder();
    }
    link::main();
}

/// Rust's standard library takes its unwinder from a shared library, libgcc_s.
/// To load that costs a sixth of a millisecond at each start, most of it for
/// CPUID, which it asks for much and which a virtual machine answers slowly. GCC
/// has the same unwinder as an archive, libgcc_eh, so that is linked in: the
/// linker looks for a library here first, and reads this text as a script.
fn link_unwinder() {
    let folder = var("OUT_DIR").expect("cargo names a folder");
    fs::write(format!("{folder}/libgcc_s.a"), "INPUT(-lgcc_eh)\n")
        .expect("write a script for the linker");
    println!("cargo::rustc-link-search=native={folder}");
}
