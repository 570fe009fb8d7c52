//! The folder of all folders: one's own, or none.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use witness::{Folder, Machine};

use crate::person::{Person, UID, setpriv};

/// Where a person without a folder of the login's has theirs.
const TEMPORARY: &str = "/tmp/workshop-1500";

/// Runs a detached container of this person's to its end, without trace.
fn run(person: &Person, env: &[&str]) -> witness::Report {
    let words =
        ["run", "-q", "--rootless", "--detach", "--rm", "--name", "it"];
    let words = [&words[..], &["--", "true"]].concat();
    setpriv(&person.starts_with(env, &words))
}

const WITHOUT: [&str; 3] = ["-u", "XDG_RUNTIME_DIR", "PATH=/nowhere"];

#[test]
fn what_somebody_else_has_made_in_tmp_is_not_used() {
    let _machine = Machine::new();
    let (person, other) = (Person::new(), Folder::new());
    // What a container prints would be written to where this leads.
    let planted = other.join("planted");
    fs::write(&planted, "as it was\n").expect("write a file");
    chown(&planted, Some(UID), Some(UID)).expect("give it away");
    for kind in ["a folder", "a link"] {
        let it = Path::new(TEMPORARY);
        let folder = match kind {
            "a folder" => it.to_owned(),
            _ => other.join("folder"),
        };
        fs::create_dir(&folder).expect("make a folder");
        fs::set_permissions(&folder, Permissions::from_mode(0o777))
            .expect("open it to all");
        for name in ["log", "state.new"] {
            fs::create_dir_all(folder.join("it")).expect("make a folder");
            symlink(&planted, folder.join("it").join(name)).expect(name);
        }
        if kind == "a link" {
            symlink(&folder, it).expect("make a link");
        }
        let report = run(&person, &WITHOUT);
        assert_eq!(report.status, 125, "{kind}: {}", report.stdout);
        let error = format!("{TEMPORARY} does not belong to you alone");
        assert!(report.stderr.contains(&error), "{kind}: {}", report.stderr);
        assert!(!report.stdout.contains("it"), "{kind}");
        let ps = person.starts_with(&WITHOUT, &["ps", "--rootless"]);
        assert_eq!(setpriv(&ps).status, 125, "{kind}");
        match kind {
            "a link" => fs::remove_file(it).expect("remove it"),
            _ => fs::remove_dir_all(it).expect("remove it"),
        }
    }
    let text = fs::read_to_string(&planted).expect("read it");
    assert_eq!(text, "as it was\n");
    let report = run(&person, &WITHOUT);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}

#[test]
fn a_runtime_folder_that_is_none_is_as_good_as_unset() {
    let _machine = Machine::new();
    let person = Person::new();
    let others = Folder::new();
    let others = format!("XDG_RUNTIME_DIR={}", others.path().display());
    for variable in ["XDG_RUNTIME_DIR=", "XDG_RUNTIME_DIR=here", &others] {
        let env = [variable, "PATH=/nowhere"];
        let words = ["run", "-q", "--rootless", "--detach", "--name", "it"];
        let words = [&words[..], &["--", "sleep", "1000"]].concat();
        let report = setpriv(&person.starts_with(&env, &words));
        assert_eq!(report.status, 0, "{variable}: {}", report.stderr);
        let folder = fs::metadata(TEMPORARY).expect(variable);
        assert_eq!((folder.uid(), folder.mode() & 0o7777), (UID, 0o700));
        let words = ["rm", "--rootless", "--force", "it"];
        let report = setpriv(&person.starts_with(&env, &words));
        assert_eq!(report.status, 0, "{variable}: {}", report.stderr);
        assert!(!Path::new(TEMPORARY).exists(), "left behind");
    }
    // The control: where it is one's own, it is used.
    let words = ["run", "-q", "--rootless", "--detach", "--name", "it"];
    let report = person.run(&[&words[..], &["--", "sleep", "9"]].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    assert!(person.home.join("run/workshop/it/state.json").exists());
    assert!(!Path::new(TEMPORARY).exists());
    let report = person.run(&["rm", "--rootless", "--force", "it"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
}
