//! Groups that systemd makes.
//!
//! Where systemd is PID 1 the tree of groups is its own: each service, each
//! login has a group there, and what it does not know it may change. So an
//! engine can ask for a *scope* (systemd.scope(5)): a unit for a process that
//! somebody else has started. systemd makes the group, moves the process into
//! it, and leaves what is below to the container (`Delegate=`).
//!
//! - [`Unit`] - a scope, in a slice: where it is, its start and its end.
//! - `properties` - the limits, in systemd's words.
//! - `bus` - how systemd is asked: over D-Bus.

mod bus;
mod properties;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Pid, geteuid};
use serde::{Deserialize, Serialize};

use super::devices::Rule;
use super::files::Setting;
use bus::{Bus, Value};

/// A unit of systemd's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    /// `docker-7.scope`; a name with `.slice` is a slice itself.
    name: String,
    /// What it is in, `system.slice`.
    slice: String,
    /// It belongs to the systemd of a user, and not to the machine's.
    is_users: bool,
}

impl Unit {
    /// From linux.cgroupsPath, which is `SLICE:PREFIX:NAME` for systemd.
    ///
    /// # Errors
    /// When it is not, or systemd does not run.
    pub(crate) fn choose(path: Option<&str>, id: &str) -> Result<Unit> {
        ensure!(
            Path::new("/run/systemd/system").is_dir(),
            "systemd does not run on this machine, so it can make no cgroup"
        );
        Unit::parse(path, id, !geteuid().is_root())
    }

    fn parse(path: Option<&str>, id: &str, is_users: bool) -> Result<Unit> {
        let parts: Vec<&str> = match path {
            None => vec!["", "step12", id],
            Some(path) => path.split(':').collect(),
        };
        let [slice, prefix, name] = parts[..] else {
            bail!(
                "linux.cgroupsPath: expected SLICE:PREFIX:NAME for systemd, \
                 got {:?}",
                path.unwrap_or_default()
            );
        };
        let slice = match (slice, is_users) {
            ("", false) => "system.slice",
            ("", true) => "user.slice",
            (slice, _) => slice,
        };
        let name = match (prefix, name) {
            (_, name) if name.ends_with(".slice") => name.to_owned(),
            ("", name) => format!("{name}.scope"),
            (prefix, name) => format!("{prefix}-{name}.scope"),
        };
        // The name becomes a folder's.
        let is_name =
            |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        ensure!(
            name.chars().all(is_name) && name.len() < 256,
            "linux.cgroupsPath: {name:?} is no name of a unit"
        );
        Ok(Unit { name, slice: slice.to_owned(), is_users })
    }

    /// The group that systemd will give it, from the top of the tree.
    ///
    /// # Errors
    /// When the slice has no name of one; for a user, when there is no bus.
    pub(crate) fn group(&self) -> Result<String> {
        let above = match self.is_users {
            false => String::new(),
            true => Bus::connect(true)?.manager_property("ControlGroup")?,
        };
        Ok(format!("{above}{}/{}", expand(&self.slice)?, self.name))
    }

    /// Starts the unit with this process in it, and waits until it is there.
    ///
    /// # Errors
    /// What systemd answers.
    pub(crate) fn start(
        &self,
        pid: Pid,
        settings: &[Setting],
        rules: &[Rule],
    ) -> Result<()> {
        let mut all = self.nature(pid);
        all.extend(properties::of_settings(settings)?);
        all.extend(properties::of_devices(rules));
        let mut bus = Bus::connect(self.is_users)?;
        let started = match bus.start(&self.name, &all) {
            // A unit that has failed stays until somebody has seen it.
            Err(error) if bus::is(&error, "UnitExists") => {
                let _ = bus.reset_failed(&self.name);
                bus.start(&self.name, &all)
            }
            started => started,
        };
        started.with_context(|| format!("have systemd start {}", self.name))
    }

    /// What a unit is, whatever its limits.
    fn nature(&self, pid: Pid) -> Vec<(String, Value)> {
        let text = |text: &str| Value::Text(text.to_owned());
        let flag = Value::Flag;
        let mut all = vec![
            ("Description", text(&format!("container {}", self.name))),
            ("PIDs", Value::Numbers(vec![pid.as_raw() as u32])),
            // It is not stopped before others when the machine goes down.
            ("DefaultDependencies", flag(false)),
            // These give the group its controllers.
            ("MemoryAccounting", flag(true)),
            ("CPUAccounting", flag(true)),
            ("IOAccounting", flag(true)),
            ("TasksAccounting", flag(true)),
        ];
        if self.name.ends_with(".slice") {
            let slice = vec![self.slice.clone()];
            all.push(("Wants", Value::Texts(slice)));
        } else {
            all.push(("Slice", text(&self.slice)));
            all.push(("Delegate", flag(true)));
        }
        let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
        all.into_iter().map(owned).collect()
    }

    /// Tells systemd of new limits: it would write the old ones again one day.
    ///
    /// # Errors
    /// What systemd answers.
    pub(crate) fn change(
        &self,
        settings: &[Setting],
        rules: Option<&[Rule]>,
    ) -> Result<()> {
        let mut all = properties::of_settings(settings)?;
        all.extend(rules.map(properties::of_devices).unwrap_or_default());
        if all.is_empty() {
            return Ok(());
        }
        let changed = Bus::connect(self.is_users)?.change(&self.name, &all);
        changed.with_context(|| format!("have systemd change {}", self.name))
    }

    /// Ends the unit, if there is still one, and waits until it is gone.
    ///
    /// # Errors
    /// What systemd answers.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut bus = Bus::connect(self.is_users)?;
        let stopped = match bus.stop(&self.name) {
            Err(error) if bus::is(&error, "NoSuchUnit") => return Ok(()),
            stopped => stopped,
        };
        // One that has failed stays until somebody has seen it.
        let _ = bus.reset_failed(&self.name);
        stopped.with_context(|| format!("have systemd stop {}", self.name))
    }
}

/// The folders of a slice: `a-b.slice` is in `a.slice` (systemd.slice(5)).
fn expand(slice: &str) -> Result<String> {
    let name = slice.strip_suffix(".slice").filter(|name| {
        *name == "-" || name.split('-').all(|part| !part.is_empty())
    });
    let name = name.filter(|name| !name.contains(['/', '\0', '\n']));
    let name = name.with_context(|| {
        format!("linux.cgroupsPath: {slice:?} is no name of a slice")
    })?;
    if name == "-" {
        return Ok(String::new()); // the top
    }
    let ends = name.match_indices('-').map(|(at, _)| at);
    let ends = ends.chain([name.len()]);
    Ok(ends.map(|end| format!("/{}.slice", &name[..end])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_by_three_words() {
        let unit = |path: &str| Unit::parse(Some(path), "id", false);
        for (path, slice, name) in [
            ("system.slice:docker:7", "system.slice", "docker-7.scope"),
            (":docker:7", "system.slice", "docker-7.scope"),
            ("a.slice::7", "a.slice", "7.scope"),
            ("a.slice:x:pod.slice", "a.slice", "pod.slice"),
        ] {
            let unit = unit(path).expect(path);
            assert_eq!((&*unit.slice, &*unit.name), (slice, name));
        }
        let own = Unit::parse(None, "id", true).expect("a unit");
        assert_eq!(own.slice, "user.slice");
        assert_eq!(own.name, "step12-id.scope");
        for path in ["/docker/7", "a:b", "a:b:c:d", "a:b:../c", "a:b:c d"] {
            let error = unit(path).expect_err(path).to_string();
            assert!(error.starts_with("linux.cgroupsPath: "), "{error}");
        }
    }

    #[test]
    fn a_slice_lies_in_the_slices_that_its_name_begins_with() {
        let all = "/a.slice/a-b.slice/a-b-c.slice";
        assert_eq!(expand("a-b-c.slice").expect("a slice"), all);
        assert_eq!(expand("system.slice").expect("one"), "/system.slice");
        assert_eq!(expand("-.slice").expect("the top"), "");
        for bad in ["", "a", ".slice", "a--b.slice", "-a.slice", "a/b.slice"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }
}
