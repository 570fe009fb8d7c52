//! A person without root, with a program and an image of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use witness::{Folder, Report, run};

use crate::STEP11;

/// The number in user and group.
pub const UID: u32 = 1500;

/// The number 1500. Nobody else may look into the home, in which `run` is
/// what XDG_RUNTIME_DIR names.
pub struct Person {
    pub home: Folder,
    runtime: String,
}

impl Person {
    pub fn new() -> Person {
        let home = Folder::new();
        fs::copy(STEP11, home.join("step11")).expect("copy the program");
        let shared = step03::rootfs::default_path().expect("a target folder");
        step03::rootfs::ensure(&shared).expect("make the root filesystem");
        let shared = shared.to_str().expect("a plain path");
        program("cp", &["-a", shared, &home.text("rootfs")]);
        fs::create_dir(home.join("run")).expect("make a folder");
        let owner = format!("{UID}:{UID}");
        program("chown", &["-hR", &owner, home.path().to_str().expect("it")]);
        for private in [home.path(), &home.join("run")] {
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(private, mode).expect("make it private");
        }
        let runtime = format!("XDG_RUNTIME_DIR={}", home.text("run"));
        Person { home, runtime }
    }

    /// The arguments of setpriv(1) with which this person starts step11.
    pub fn starts(&self, words: &[&str]) -> Vec<String> {
        self.starts_with(&["PATH=/nowhere", &self.runtime], words)
    }

    /// The same with other words for env(1).
    pub fn starts_with(&self, env: &[&str], words: &[&str]) -> Vec<String> {
        let who = ["--reuid", "1500", "--regid", "1500", "--clear-groups"];
        let env = [&["--inh-caps=-all", "env"][..], env].concat();
        let all = [&who[..], &env, &[&self.home.text("step11")], words];
        all.concat().into_iter().map(String::from).collect()
    }

    /// Runs it to its end.
    pub fn run(&self, words: &[&str]) -> Report {
        setpriv(&self.starts(words))
    }
}

/// Runs setpriv(1) with these arguments.
pub fn setpriv(arguments: &[String]) -> Report {
    let all: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run("setpriv", &all)
}

fn program(name: &str, arguments: &[&str]) {
    let status = Command::new(name).args(arguments).status();
    assert!(status.expect(name).success(), "{name} {arguments:?}");
}
