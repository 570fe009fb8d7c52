//! A person without root, who has a home with the workshop in it.

use std::fs;

use witness::{Covers, Folder};

use crate::{STEP06, copy_rootfs, program, text};

/// The number 1500, in user and group. Nobody else may look into the home.
pub struct Person {
    pub home: Folder,
    binary: String,
}

impl Person {
    pub fn new() -> Person {
        let person = Person::without_image();
        let image = person.home.join("rootfs");
        copy_rootfs(&image);
        program("chown", &["-hR", "1500:1500", text(person.home.path())]);
        person
    }

    /// A copy of the program finds its image beside itself, and makes it.
    pub fn without_image() -> Person {
        let home = Folder::new();
        let binary = home.text("step06");
        fs::copy(STEP06, &binary).expect("copy the program");
        program("chown", &["-hR", "1500:1500", text(home.path())]);
        program("chmod", &["700", text(home.path())]);
        Person { home, binary }
    }

    /// The arguments of setpriv(1) with which this person starts step06.
    /// Without newuidmap, unless that is asked for.
    pub fn starts<'a>(&'a self, flags: &[&'a str]) -> Vec<&'a str> {
        self.starts_with("PATH=/nowhere", flags)
    }

    /// The same with newuidmap, newgidmap and whatever the test has.
    pub fn starts_with_helpers<'a>(
        &'a self,
        flags: &[&'a str],
    ) -> Vec<&'a str> {
        self.starts_with("HOME=/", flags)
    }

    fn starts_with<'a>(
        &'a self,
        variable: &'a str,
        flags: &[&'a str],
    ) -> Vec<&'a str> {
        let who = ["--reuid", "1500", "--regid", "1500", "--clear-groups"];
        let env = ["--inh-caps=-all", "env", variable, &self.binary];
        [&who[..], &env, flags].concat()
    }
}

/// Numbers that are set aside for this person.
pub fn set_ranges_aside() -> Covers {
    let files = Covers::new();
    files.cover("/etc/passwd", "person:x:1500:1500::/:/bin/sh\n");
    files.cover("/etc/group", "person:x:1500:\n");
    files.cover("/etc/subuid", "person:200000:1000\n");
    files.cover("/etc/subgid", "person:300000:500\n");
    files
}
