//! What belongs to the process alone: its powers, limits and priorities, and
//! as whom it runs.
//!
//! ```text
//!   Attributes::read   launcher: all values are right, or it ends here
//!   set_outside        launcher, while the process waits: what takes its power
//!   set_inside         inside, as root
//!   become_user        inside, last of all
//! ```

pub mod cpus;
pub(crate) mod memory;
mod powers;
mod schedule;
mod words;

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, setgroups, setresgid, setresuid};
use step00::Process as Made;
use step00::proc::own;
use step10::rlimits::Limit;
use step10::sets::Sets;
use step10::{labels, privileges};

use crate::config::user::User;
use crate::config::{Config, Process};
use crate::flags::log;
use memory::Policy;
use schedule::{IoPriority, Schedule};

/// All of it, read.
#[derive(Debug)]
pub struct Attributes {
    cwd: PathBuf,
    has_entered: Cell<bool>,
    user: User,
    sets: Sets,
    limits: Vec<Limit>,
    schedule: Option<Schedule>,
    io_priority: Option<IoPriority>,
    oom_score_adj: Option<i32>,
    persona: Option<libc::c_ulong>,
    policy: Option<Policy>,
    no_new_privileges: bool,
    apparmor: Option<String>,
    selinux: Option<String>,
    /// Is root inside another user than the machine's?
    is_mapped: bool,
}

impl Attributes {
    /// Reads them, and finds what is wrong.
    ///
    /// # Errors
    /// With the name of the property.
    pub fn read(
        config: &Config,
        process: &Process,
        log: &log::Args,
    ) -> Result<Attributes> {
        log.warn(Attributes::warning(process));
        let adj = process.oom_score_adj;
        ensure!(
            adj.is_none_or(|it| (-1000..=1000).contains(&it)),
            "process.oomScoreAdj must be from -1000 to 1000"
        );
        let umask = process.user.umask;
        ensure!(
            umask.is_none_or(|it| it <= 0o7777),
            "process.user.umask is no mode"
        );
        let label = |text: &Option<String>| {
            text.clone().filter(|text| !text.is_empty())
        };
        let schedule = process.scheduler.as_ref();
        let io_priority = process.io_priority.as_ref();
        let persona = config.linux.personality.as_ref();
        let policy = config.linux.memory_policy.as_ref();
        Ok(Attributes {
            cwd: process.cwd.clone().into(),
            has_entered: Cell::new(false),
            user: process.user.clone(),
            sets: powers::sets(process.capabilities.as_ref()),
            limits: powers::limits(&process.rlimits)?,
            schedule: schedule.map(Schedule::read).transpose()?,
            io_priority: io_priority.map(IoPriority::read).transpose()?,
            oom_score_adj: adj,
            persona: persona.map(powers::persona).transpose()?,
            policy: policy.map(Policy::read).transpose()?,
            no_new_privileges: process.no_new_privileges,
            apparmor: label(&process.apparmor_profile),
            selinux: label(&process.selinux_label),
            is_mapped: config.namespace(libc::CLONE_NEWUSER).is_some(),
        })
    }

    /// What is not an error, but not as it was asked for.
    fn warning(process: &Process) -> Option<String> {
        let unknown = powers::unknown(process.capabilities.as_ref());
        (!unknown.is_empty()).then(|| {
            // A stranger's words must not speak to the terminal.
            let names = unknown.join(" ").escape_debug().to_string();
            format!("ignoring unknown or unavailable capabilities: [{names}]")
        })
    }

    /// Outside, while the process waits, in its group by now: what takes the
    /// machine's powers.
    ///
    /// # Errors
    /// EACCES for an oomScoreAdj below the launcher's own without
    /// CAP_SYS_RESOURCE, EPERM for the rest.
    pub fn set_outside(&self, process: &Made) -> Result<()> {
        let pid = process.pid;
        if let Some(adj) = self.oom_score_adj {
            let file = PathBuf::from(format!("{pid}/oom_score_adj"));
            own::write(&file, &adj.to_string())?;
        }
        self.schedule.as_ref().map_or(Ok(()), |it| it.set(pid))?;
        self.io_priority.as_ref().map_or(Ok(()), |it| it.set(pid))?;
        match self.is_mapped {
            true => self.set_limits(pid),
            false => Ok(()),
        }
    }

    fn set_limits(&self, pid: Pid) -> Result<()> {
        self.limits.iter().try_for_each(|limit| limit.set_for(pid))
    }

    /// Inside, as root, with the new root: what may still be done there, and
    /// not after the filter.
    ///
    /// # Errors
    /// As for each of them.
    pub fn set_inside(&self) -> Result<()> {
        // The file mode mask of whoever started us is not the container's.
        let mode = self.user.umask.unwrap_or(0o022);
        umask(Mode::from_bits_truncate(mode));
        if !self.is_mapped {
            self.set_limits(Pid::from_raw(0))?;
        }
        if let Some(persona) = self.persona {
            // SAFETY: personality takes a number.
            Errno::result(unsafe { libc::personality(persona) })
                .context("set linux.personality")?;
        }
        self.policy.as_ref().map_or(Ok(()), Policy::set)?;
        let name = Some(step10::parse_user(&self.user.uid.to_string()));
        step10::remember_home(name.and_then(Result::ok).as_ref());
        if self.no_new_privileges {
            privileges::forbid_new_privileges()?;
        }
        let (apparmor, selinux) = (&self.apparmor, &self.selinux);
        labels::ask(apparmor.as_deref(), selinux.as_deref())?;
        // Root may enter what the user may not; and a volume may be the
        // user's alone, see below.
        match step03::enter(&self.cwd) {
            Err(Errno::EACCES) => Ok(()),
            Ok(()) => {
                self.has_entered.set(true);
                Ok(())
            }
            Err(errno) => Err(errno).with_context(|| self.entering()),
        }
    }

    /// Inside, last of all: the powers are left behind, and the user is who
    /// it is to be.
    ///
    /// The filter may be on by now, so these are calls that every profile
    /// knows.
    ///
    /// # Errors
    /// EINVAL for a user or group that the maps do not have.
    pub fn become_user(&self) -> Result<()> {
        let sets = self.sets.that_are_there()?;
        sets.limit_bounding()?;
        prctl::set_keepcaps(true).context("keep the capabilities")?;
        self.change_user()?;
        if !self.has_entered.get() {
            step03::enter(&self.cwd).with_context(|| self.entering())?;
        }
        prctl::set_keepcaps(false).context("keep no capabilities")?;
        sets.set()
    }

    fn entering(&self) -> String {
        format!("chdir to cwd ({:?}) set in config.json", self.cwd)
    }

    fn change_user(&self) -> Result<()> {
        let User { uid, gid, additional_gids, .. } = &self.user;
        let (uid, gid) = ((*uid).into(), (*gid).into());
        let groups = additional_gids.iter().map(|&it| it.into());
        let groups: Vec<_> = groups.collect();
        // As step06's, which asks /proc; that may be the container's by now.
        match setgroups(&groups) {
            Err(Errno::EPERM) if self.is_mapped => {}
            answer => answer.with_context(|| {
                format!("set the groups {additional_gids:?}")
            })?,
        }
        setresgid(gid, gid, gid)
            .with_context(|| format!("become group {gid} inside"))?;
        match setresuid(uid, uid, uid) {
            Err(Errno::EINVAL) => bail!("there is no user {uid} inside"),
            answer => answer.with_context(|| format!("become user {uid}")),
        }
    }
}
