//! What `create` has on the machine's side: a folder, a group, a gate. As long
//! as the container is not there as a whole, an error takes all of it away.

use std::cell::Cell;
use std::fs::File;
use std::time::SystemTime;

use anyhow::{Context, Result};
use humantime::format_rfc3339_nanos;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use step00::{Process, Running};
use step11::state::Mounted;

use crate::cgroup::{Cgroup, Doors};
use crate::config::Config;
use crate::flags::{Create, Host};
use crate::gate;
use crate::launcher::agent::Agent;
use crate::launcher::bundle::Bundle;
use crate::launcher::hooks;
use crate::state::{self, Container, First, OCI_VERSION, State};

/// A container that is being made.
pub struct Claim<'a> {
    args: &'a Create,
    host: &'a Host,
    config: &'a Config,
    /// `None` once it is kept.
    container: Option<Container>,
    state: State,
    /// From then on its processes are the container's.
    has_group: Cell<bool>,
    has_run_hooks: Cell<bool>,
}

impl<'a> Claim<'a> {
    /// Claims the name, and writes down what is going to be made.
    ///
    /// # Errors
    /// When there is a container of that name; when there are processes in its
    /// group; and when another one has the same root mounted, in a mount
    /// namespace that is not its own either.
    pub fn new(
        host: &'a Host,
        args: &'a Create,
        bundle: &'a Bundle,
        mounted: Option<Mounted>,
    ) -> Result<Claim<'a>> {
        let config = &bundle.config;
        let path = config.linux.cgroups_path.as_deref();
        let cgroup = Cgroup::choose(path, &args.id, host.systemd_cgroup)?;
        let root = config.root.as_ref().context("root must be there")?;
        let state = State {
            oci_version: OCI_VERSION.into(),
            id: args.id.clone(),
            bundle: bundle.folder.clone(),
            rootfs: bundle.folder.join(&root.path),
            annotations: config.annotations.clone(),
            created: format_rfc3339_nanos(SystemTime::now()).to_string(),
            owner: geteuid().as_raw(),
            first: None,
            cgroup,
            mounted,
        };
        let container = Container::claim(&host.root()?, &args.id)?;
        let claim = Claim {
            args,
            host,
            config,
            container: Some(container),
            state,
            has_group: Cell::new(false),
            has_run_hooks: Cell::new(false),
        };
        // Whoever finds this record kills what is in its group.
        claim.state.cgroup.check_is_free()?;
        claim.container()?.write_file("config.json", &bundle.text)?;
        claim.container()?.write(&claim.state)?;
        // Written down first: of two at once, one finds the other.
        claim.check_root()?;
        Ok(claim)
    }

    fn check_root(&self) -> Result<()> {
        let Some(mounted) = &self.state.mounted else { return Ok(()) };
        state::check_root(&self.host.root()?, &self.args.id, mounted)
    }

    fn container(&self) -> Result<&Container> {
        self.container.as_ref().context("the container is kept by now")
    }

    /// Makes its group, in which the process is to be born, where the kernel
    /// can do that.
    ///
    /// # Errors
    /// As for [`Cgroup::make`].
    pub fn make_group(&self) -> Result<Option<File>> {
        let resources = self.config.linux.resources.clone();
        self.state.cgroup.make(&resources.unwrap_or_default())?;
        self.has_group.set(true);
        self.state.cgroup.folder()
    }

    /// The groups that the process goes into by itself, first of all.
    ///
    /// # Errors
    /// As for [`Cgroup::doors`].
    pub fn open_doors(&self) -> Result<Doors> {
        self.state.cgroup.doors()
    }

    /// Outside: the groups that systemd makes.
    ///
    /// # Errors
    /// As for [`Cgroup::enter`].
    pub fn enter_group(&self, process: &Process) -> Result<()> {
        let resources = self.config.linux.resources.clone();
        let resources = resources.unwrap_or_default();
        self.state.cgroup.enter(process.pid, &resources)
    }

    /// Makes the gate, and the file for the last words of who does not get
    /// through.
    ///
    /// # Errors
    /// ENOSPC.
    pub fn make_gate(&self) -> Result<(File, File)> {
        let folder = &self.container()?.folder;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let words = folder.file("words", flags).context("make a file")?;
        Ok((gate::make(folder.descriptor())?, words))
    }

    /// The state, for a hook or a seccomp agent.
    ///
    /// # Errors
    /// None that is to be expected.
    pub fn describe(&self, pid: i32) -> Result<String> {
        self.state.describe("creating", Some(pid))
    }

    /// What config.json says.
    pub fn config(&self) -> &Config {
        self.config
    }

    /// Outside, when the process asks for something. First of all for the
    /// hooks: they find the mounts there, and no new root yet. And later for
    /// what a filter's agent is to know.
    ///
    /// # Errors
    /// As for [`hooks::run`] and [`Agent::tell`].
    pub fn answer(&self, process: &Process, agent: &Agent<'_>) -> Result<()> {
        match self.has_run_hooks.replace(true) {
            false => self.run_outer_hooks(process),
            true => agent.tell(process, &self.describe(process.pid.as_raw())?),
        }
    }

    fn run_outer_hooks(&self, process: &Process) -> Result<()> {
        let state = self.describe(process.pid.as_raw())?;
        let hooks = &self.config.hooks;
        hooks::run("prestart", &hooks.prestart, &state)?;
        hooks::run("createRuntime", &hooks.create_runtime, &state)
    }

    /// Inside: the hooks that run in the container's namespaces.
    ///
    /// # Errors
    /// As for [`hooks::run`].
    pub fn run_inner_hooks(&self) -> Result<()> {
        let state = self.describe(std::process::id() as i32)?;
        let hooks = &self.config.hooks.create_container;
        hooks::run("createContainer", hooks, &state)
    }

    /// The container is there: it is on record from now on, and its number is
    /// told to who has asked for it.
    ///
    /// # Errors
    /// When a file or a socket for that cannot be written to.
    pub fn keep(&mut self, running: &Running) -> Result<()> {
        let process = &running.process;
        self.state.first = Some(First::of(process)?);
        self.container()?.write(&self.state)?;
        self.args.caller.tell(process)?;
        self.container = None;
        Ok(())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let Some(container) = self.container.take() else { return };
        // Until then the group may be another container's.
        let undone = match self.has_group.get() {
            true => container.remove_left(),
            false => container.remove(),
        };
        let undone = undone.and_then(|()| {
            let state = self.state.describe("stopped", None)?;
            hooks::run("poststop", &self.config.hooks.poststop, &state)
        });
        if let Err(error) = undone {
            self.host.log.warning(&format!("{error:#}"));
        }
    }
}
