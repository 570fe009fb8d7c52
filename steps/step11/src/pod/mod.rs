//! Pods: containers that share blindfolds.
//!
//! `--network`, `--ipc` and `--pid container:NAME` have a new container join a
//! namespace of one that runs, in place of making its own. Files, hostname,
//! group and filter stay its own. That is all that a pod of Kubernetes is.
//!
//! A namespace is owned by the user namespace in which it was made, and only
//! who is root *there* can do anything with it: mount its /proc, its queues,
//! its /sys (user_namespaces(7)). So whoever shares a namespace shares the
//! owner too, and with it the users.

pub mod born;
mod flags;
mod ledger;
mod members;
mod memory;
mod rest;

use std::cell::OnceCell;
use std::os::fd::BorrowedFd;
use std::path::Path;

use anyhow::Result;
use nix::sched::CloneFlags;
use nix::unistd::geteuid;
use step00::stage::Fork;
use step00::{Guardian, Proc, Process, Reader, Stage};
use step03::tree::Tree;
use step06::Maps;
use step06::user::{become_root, become_user, write_maps};

use crate::Run;
use crate::exec::hide;

pub use flags::{Args, ipc, network, pid};
use members::Member;

/// The containers that a new one shares namespaces with: mostly none.
#[derive(Default)]
pub struct Pod {
    members: Vec<Member>,
    shares_processes: bool,
    /// Shared memory has names, in the files of who has it.
    memory: Option<Tree>,
    /// The mount namespace of the new one.
    files: OnceCell<String>,
    rest: OnceCell<Guardian>,
}

impl Pod {
    /// Takes hold of those that the flags name.
    ///
    /// # Errors
    /// When one does not run, is the new container itself, or is not in the
    /// same pod as the other; and for a flag that only makes sense with a
    /// network, or with users, of one's own.
    pub fn find(args: &Run) -> Result<Pod> {
        let members = members::find(args)?;
        if members.is_empty() {
            return Ok(Pod::default());
        }
        flags::check(args)?;
        members::check_owner(&members)?;
        let has = |kind| members.iter().find(|it| it.kind == kind);
        let memory = has(CloneFlags::CLONE_NEWIPC).map(memory::open);
        Ok(Pod {
            shares_processes: has(CloneFlags::CLONE_NEWPID).is_some(),
            memory: memory.transpose()?,
            members,
            ..Pod::default()
        })
    }

    /// The blindfolds for processes and for users, but for those that another
    /// container has put on.
    pub fn own_blindfolds(&self) -> libc::c_int {
        let processes =
            if self.shares_processes { 0 } else { libc::CLONE_NEWPID };
        let users = if self.is_alone() { libc::CLONE_NEWUSER } else { 0 };
        processes | users
    }

    fn is_alone(&self) -> bool {
        self.members.is_empty()
    }

    /// The users inside: those of the pod, or those of the flags.
    ///
    /// # Errors
    /// As for [`Maps::choose`].
    pub fn maps(&self, args: &step06::Args) -> Result<Maps> {
        match self.members.first() {
            Some(member) => members::maps(&member.process, args),
            None => Maps::choose(args),
        }
    }

    /// Has the process born in the namespaces of the others.
    pub fn set_stage<'a>(&'a self, stage: &mut Stage<'a>) {
        if self.is_alone() {
            return;
        }
        stage.hooks.fork = Some(self);
        if self.shares_processes {
            // It has no shield: there is a PID 1, and this one is not it.
            stage.hooks.drops = |_, _| None;
            // Until its execve it is hidden, see `become_root`: a launcher
            // that is not the machine's root has nothing to tell of it.
            stage.quiet |= !geteuid().is_root();
        }
    }

    /// Outside, while the process waits: what its users are. And one that is
    /// not PID 1 leaves its children behind, so there is to be somebody who
    /// ends them.
    ///
    /// # Errors
    /// As for [`write_maps`]; EMFILE and EAGAIN for the guardian.
    pub fn prepare(&self, process: &Process, maps: &Maps) -> Result<()> {
        if let (true, Some(files)) = (self.shares_processes, self.files.get())
        {
            let _ = self.rest.set(rest::end_with_us(files.clone())?);
        }
        match self.is_alone() {
            true => write_maps(process.pid, maps),
            false => Ok(()),
        }
    }

    /// Inside: becomes root. Where others can see this process, they must not
    /// look into its memory, a copy of the launcher's (CVE-2016-9962).
    ///
    /// # Errors
    /// As for [`become_user`].
    pub fn become_root(&self) -> Result<()> {
        if !self.shares_processes {
            return become_root();
        }
        become_user(0, 0, &[])?;
        // A change of user makes it what /proc/sys/fs/suid_dumpable says.
        hide()
    }

    /// Inside, with a /dev in the new root: queues and shared memory.
    ///
    /// # Errors
    /// As for [`step09::furnish`].
    pub fn furnish(&self, args: &step09::Args, new_root: &Path) -> Result<()> {
        step09::furnish(args, new_root)?;
        match &self.memory {
            Some(tree) => memory::show(tree, new_root),
            None => Ok(()),
        }
    }

    /// The ledger, with a line on what is shared.
    pub fn ledger(&self) -> &'static [Reader] {
        if self.is_alone() { step10::LEDGER } else { ledger::LEDGER }
    }

    /// The process has ended: ends what it has left behind.
    pub fn end(&mut self) {
        drop(self.rest.take());
    }
}

impl Fork for Pod {
    fn fork(
        &self,
        flags: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Process>> {
        let made = born::make(|| born::join(&self.members, flags), cgroup)?;
        Ok(made.map(|(process, files)| {
            let _ = self.files.set(files);
            process
        }))
    }
}

/// Reads of the kernel what the process of a container is in.
fn namespace_of(process: &Process, kind: &str) -> Result<String> {
    Proc::of(process.pid).namespace(kind)
}
