//! A rung beside an image that was imported, both of a test's own.

use std::fs;
use std::path::PathBuf;

use witness::Reachable;

/// A copy of a rung, which finds its images beside itself.
pub struct Beside(pub Reachable);

impl Beside {
    /// Copies this rung.
    pub fn new(rung: &str) -> Beside {
        Beside(Reachable::new(rung))
    }

    /// Makes an image of two layers, the workshop's root filesystem and a file
    /// `/mark`, that says `config` of itself and was fetched as `reference`.
    pub fn image(&self, name: &str, reference: &str, config: &str) {
        let image = self.0.beside("images").join(name);
        fs::create_dir_all(image.join("1")).expect("make a layer");
        fs::write(image.join("1/mark"), format!("{name}\n")).expect("write");
        let shared = step03::rootfs::default_path().expect("a target folder");
        step03::rootfs::ensure(&shared).expect("make the root filesystem");
        let mut cp = witness::command("cp");
        let status = cp.arg("-a").arg(&shared).arg(image.join("0")).status();
        assert!(status.expect("start cp").success(), "copy {shared:?}");
        let record = self.record(name);
        fs::create_dir_all(record.parent().expect("one")).expect("a folder");
        let text = format!(
            r#"{{"Layers": 2, "Reference": "{reference}", "Config": {config}}}"#
        );
        fs::write(record, text).expect("write down what it says");
    }

    /// The file with what is known of an image.
    pub fn record(&self, name: &str) -> PathBuf {
        self.0.beside("images/.records").join(format!("{name}.json"))
    }
}
