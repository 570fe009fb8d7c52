//! One line of config.json's `mounts`, read, and what it takes of the machine.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use step03::tree::{Attributes, MOUNT_ATTR_IDMAP, Tree, change, change_alone};
use step06::Maps;
use step06::ids::Writer;
use step06::layers::user_namespace;
use step06::mapping::Mapping;

use super::options::{Options, Reach};
use super::root::Propagation;
use crate::config::Config;
use crate::config::mounts::Mount;
use crate::config::namespaces::IdMapping;

/// A mount to be.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) wanted: &'a Mount,
    pub(super) options: Options,
    /// What is shown of the machine, if that is all.
    pub(super) source: Option<Tree>,
    /// Is the mount namespace a new one, that nobody else can see into?
    pub(super) is_alone: bool,
}

impl<'a> Plan<'a> {
    /// The launcher: reads the line, and takes hold of its source.
    ///
    /// # Errors
    /// For what contradicts itself, and for a source that is not there.
    pub(super) fn make(
        config: &Config,
        bundle: &Path,
        propagation: Propagation,
        wanted: &'a Mount,
    ) -> Result<Plan<'a>> {
        let mut plan = Plan {
            wanted,
            options: Options::read(&wanted.options),
            source: None,
            is_alone: config.makes(libc::CLONE_NEWNS),
        };
        let fill = |plan: &mut Plan<'a>| -> Result<()> {
            plan.check()?;
            if plan.is_bind() {
                plan.source = Some(plan.hold(config, bundle, propagation)?);
            }
            Ok(())
        };
        fill(&mut plan).with_context(|| plan.name())?;
        Ok(plan)
    }

    /// It all, for messages.
    pub(super) fn name(&self) -> String {
        let Mount { destination, source, options, .. } = self.wanted;
        let source = source.as_deref().unwrap_or(Path::new("none"));
        format!(
            "mount {source:?} on {destination:?} (type {:?}, options {})",
            self.kind(),
            options.join(","),
        )
    }

    /// The filesystem; `bind` for none.
    pub(super) fn kind(&self) -> &str {
        let kind = self.wanted.kind.as_deref().unwrap_or_default();
        match self.options.bind {
            Some(_) => "bind",
            None => kind,
        }
    }

    /// Is it a folder or file that is there already? Some write it as the type
    /// alone, which is no filesystem's.
    fn is_bind(&self) -> bool {
        let is_bind = ["bind", "rbind"].contains(&self.kind());
        is_bind && !self.options.remount
    }

    fn check(&self) -> Result<()> {
        let Mount { destination, uid_mappings, gid_mappings, .. } =
            self.wanted;
        let is_empty = destination.as_os_str().is_empty();
        ensure!(!is_empty, "its destination is empty");
        ensure!(!self.has_zero(), "there is a zero byte in it");
        let options = &self.options;
        ensure!(
            options.remount || !self.kind().is_empty(),
            "its type must be specified"
        );
        ensure!(
            self.is_alone || !options.is_passed_on(),
            "shared and slave need a new mount namespace"
        );
        let is_mapped = options.idmap.is_some()
            || !uid_mappings.is_empty()
            || !gid_mappings.is_empty();
        ensure!(
            self.is_bind() || !is_mapped,
            "only a bind mount can have other owners (idmap)"
        );
        ensure!(
            !options.copy_up || self.kind() == "tmpfs",
            "only a tmpfs can begin with what it covers (tmpcopyup)"
        );
        Ok(())
    }

    /// A text for the kernel ends there.
    fn has_zero(&self) -> bool {
        let Mount { destination, source, options, .. } = self.wanted;
        let paths = source.iter().chain([destination]);
        let mut paths = paths.map(|path| path.as_os_str().as_bytes());
        let mut words = options.iter().map(String::as_bytes);
        paths.any(|text| text.contains(&0))
            || words.any(|text| text.contains(&0))
            || self.kind().contains('\0')
    }

    fn hold(
        &self,
        config: &Config,
        bundle: &Path,
        propagation: Propagation,
    ) -> Result<Tree> {
        let source = self.wanted.source.as_deref();
        let source = source.context("a bind mount needs a source")?;
        let is_whole = match self.options.bind {
            Some(reach) => reach == Reach::Whole,
            None => self.kind() == "rbind",
        };
        let (source, owners) = (bundle.join(source), self.owners(config)?);
        let has_joined = |flag| {
            config.namespace(flag).is_some_and(|it| it.joined().is_some())
        };
        let is_mapped = config.namespace(libc::CLONE_NEWUSER).is_some();
        // A path is one of the machine's, whatever is there in a namespace
        // that is joined.
        let is_elsewhere = is_mapped || has_joined(libc::CLONE_NEWNS);
        if owners.is_none() && !is_elsewhere && !propagation.is_shared() {
            // The new process may do it as well, and mounts are listed in the
            // order in which they are made.
            return Tree::later(&source, is_whole);
        }
        let tree = Tree::open_tied(&source, is_whole)?;
        if let Some(namespace) = owners {
            self.map_owners(&tree, &namespace)?;
        }
        Ok(tree)
    }

    /// The user namespace whose maps say which owners are shown, if not those
    /// on the disk: of this mount alone, or the container's.
    fn owners(&self, config: &Config) -> Result<Option<File>> {
        let Mount { uid_mappings, gid_mappings, .. } = self.wanted;
        let linux = &config.linux;
        let own = match (uid_mappings.is_empty(), gid_mappings.is_empty()) {
            (true, true) if self.options.idmap.is_none() => return Ok(None),
            (true, true) => None,
            (false, false) => Some((uid_mappings, gid_mappings)),
            _ => anyhow::bail!("uidMappings and gidMappings go together"),
        };
        let of = config.namespace(libc::CLONE_NEWUSER);
        let maps = match (own, of) {
            (Some(maps), _) => maps,
            (None, Some(joined)) if joined.joined().is_some() => {
                let path = joined.joined().unwrap_or(Path::new(""));
                let file = File::open(path);
                return file
                    .map(Some)
                    .with_context(|| format!("open {}", path.display()));
            }
            (None, Some(_)) => (&linux.uid_mappings, &linux.gid_mappings),
            (None, None) => anyhow::bail!(
                "idmap needs uidMappings and gidMappings, or a user namespace"
            ),
        };
        let read = |map: &[IdMapping]| -> Vec<Mapping> {
            map.iter().map(|it| (*it).into()).collect()
        };
        let maps = Maps {
            uids: read(maps.0),
            gids: read(maps.1),
            writer: Writer::Root,
        };
        user_namespace(&maps).map(Some).context("make its owners' map")
    }

    fn map_owners(&self, tree: &Tree, namespace: &File) -> Result<()> {
        let attributes = Attributes {
            set: MOUNT_ATTR_IDMAP,
            userns_fd: namespace.as_raw_fd() as u64,
            ..Attributes::default()
        };
        match self.options.idmap {
            Some(Reach::Whole) => change(tree.hold()?, attributes),
            _ => change_alone(tree.hold()?, attributes),
        }
        .context("show other owners (not every filesystem can: idmap)")
    }
}
