//! step06 from outside: which user is root inside, and what can it do?
//!
//! Three launchers are tried: the machine's root itself, root with a person
//! behind it (sudo), and a person without root. No user is made for that:
//! numbers are enough, and files of the test's own stand in for /etc/passwd
//! and /etc/subuid.

mod images;
#[allow(dead_code)]
#[path = "../../../step05/tests/network/lab.rs"]
mod lab;
mod layers;
mod maps;
mod pasta;
mod person;
mod powers;
mod rootless;
mod streams;
mod volumes;

use std::path::Path;

const STEP06: &str = env!("CARGO_BIN_EXE_step06");

/// Root inside is root outside: the control for whatever the map prevents.
const IDENTITY: [&str; 4] =
    ["--uid-map", "0:0:65536", "--gid-map", "0:0:65536"];

/// The arguments of `env` that start step06 as root with no person behind it,
/// and without touching the machine's network.
fn as_root<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let alone = ["-u", "SUDO_UID", "-u", "SUDO_GID", STEP06];
    [&alone[..], &["-q", "--network", "none"], flags].concat()
}

/// The same with the person 1500 of the group 1600 behind it.
fn as_sudo<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let person = ["SUDO_UID=1500", "SUDO_GID=1600", STEP06];
    [&person[..], &["-q", "--network", "none"], flags].concat()
}

/// Runs a program that has to succeed, and returns what it printed.
fn program(name: &str, arguments: &[&str]) -> String {
    let output = witness::command(name).args(arguments).output();
    let output = output.unwrap_or_else(|e| panic!("start {name}: {e}"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Copies the workshop's root filesystem, and makes that first if need be.
fn copy_rootfs(target: &Path) {
    let shared = step03::rootfs::default_path().expect("a target folder");
    step03::rootfs::ensure(&shared).expect("make the root filesystem");
    program("cp", &["-a", text(&shared), text(target)]);
}

/// The text of a path of a test's own.
fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
