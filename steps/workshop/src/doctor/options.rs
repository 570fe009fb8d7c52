//! What this kernel was built with, or can load.

use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;

use super::machine::Machine;

/// A part of the kernel that can be left out.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its option, as `make menuconfig` knows it.
    pub option: &'static str,
    /// The module that it can be built as.
    pub module: &'static str,
}

/// Is it there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It is part of the kernel, or loaded.
    Here,
    /// The kernel loads the module when it is needed.
    Loadable,
    /// Built as a module, and the module's file is not there.
    NoModule,
    /// Not built.
    Absent,
    /// Nothing here tells.
    Unknown,
}

/// The parts that this kernel was made of.
#[derive(Debug)]
pub struct Options<'a> {
    machine: &'a Machine,
    config: Option<String>,
    builtin: Option<String>,
    modules: Option<String>,
}

impl<'a> Options<'a> {
    /// Reads what the kernel's makers say about it.
    #[must_use]
    pub fn read(machine: &'a Machine) -> Options<'a> {
        let folder = format!("/lib/modules/{}", machine.release);
        Options {
            machine,
            config: config(machine),
            builtin: machine.read(&format!("{folder}/modules.builtin")),
            modules: machine.read(&format!("{folder}/modules.dep")),
        }
    }

    /// What is known of a part.
    #[must_use]
    pub fn support(&self, part: Part) -> Support {
        let Part { option, module } = part;
        if self.machine.has(&format!("/sys/module/{module}"))
            || lists(self.builtin.as_deref(), module)
        {
            return Support::Here;
        }
        let built = self.config.as_deref().map(|text| setting(text, option));
        if built == Some('y') {
            return Support::Here;
        }
        if lists(self.modules.as_deref(), module) && !self.is_closed() {
            return Support::Loadable;
        }
        match (built, &self.modules) {
            (Some('m'), _) => Support::NoModule,
            (Some(_), _) | (None, Some(_)) => Support::Absent,
            (None, None) => Support::Unknown,
        }
    }

    /// No more modules are loaded until the next start.
    fn is_closed(&self) -> bool {
        let path = "/proc/sys/kernel/modules_disabled";
        self.machine.number(path) == Some(1)
    }
}

/// The file `.config` of its makers: in the kernel itself, or beside it.
fn config(machine: &Machine) -> Option<String> {
    if let Ok(file) = File::open(machine.path("/proc/config.gz")) {
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).ok()?;
        return Some(text);
    }
    let release = &machine.release;
    let places = [
        format!("/boot/config-{release}"),
        format!("/lib/modules/{release}/config"),
    ];
    places.iter().find_map(|place| machine.read(place))
}

/// `y`, `m` or `n`.
fn setting(config: &str, option: &str) -> char {
    let mut lines = config.lines().filter_map(|line| line.split_once('='));
    let value = lines.find(|(name, _)| *name == option);
    value.and_then(|(_, value)| value.chars().next()).unwrap_or('n')
}

/// Lines such as `kernel/fs/overlayfs/overlay.ko.xz: …`. A module's file may
/// have `-` where its name has `_`.
fn lists(modules: Option<&str>, module: &str) -> bool {
    modules.unwrap_or_default().lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        let name = file.split(".ko").next().unwrap_or_default();
        name.replace('-', "_") == module
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_says_yes_module_or_nothing() {
        let config = "CONFIG_A=y\nCONFIG_AB=m\n# CONFIG_C is not set\n";
        assert_eq!(setting(config, "CONFIG_A"), 'y');
        assert_eq!(setting(config, "CONFIG_AB"), 'm');
        assert_eq!(setting(config, "CONFIG_C"), 'n');
        assert_eq!(setting(config, "CONFIG_D"), 'n');
    }

    #[test]
    fn a_module_is_found_by_its_name_alone() {
        let list = "kernel/fs/overlayfs/overlay.ko.xz: kernel/a/nft-nat.ko";
        assert!(lists(Some(list), "overlay"));
        assert!(!lists(Some(list), "nft_nat"), "that is a dependency");
        assert!(lists(Some("kernel/net/nft-nat.ko:"), "nft_nat"));
        assert!(!lists(None, "overlay"));
    }
}
