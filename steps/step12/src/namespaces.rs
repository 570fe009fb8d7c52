//! The blindfolds: which are made, and which are joined because somebody else
//! has put them on already.
//!
//! What config.json says of a kind of namespace is one of three: nothing (it
//! stays the launcher's own), its name (a new one), or its name and a file
//! that stands for one that is there. The last is how Kubernetes makes a pod,
//! and how Docker has `--network container:NAME`.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;
use step00::stage::Fork;
use step00::{Process, Stage};
use step06::ids::Writer;
use step06::user::{become_root as become_root_alone, become_user};
use step11::exec::hide;
use step11::pod::born;

use crate::config::Config;
use crate::config::namespaces::IdMapping;

mod request {
    nix::ioctl_none_bad!(kind_of, libc::NS_GET_NSTYPE);
}

/// What the process is born with, and what it finds there.
pub struct Namespaces {
    /// Those that are new, but for two which the process makes itself: the
    /// cgroup and the time namespace (step09).
    new: u64,
    joined: Vec<Joined>,
}

struct Joined {
    kind: CloneFlags,
    file: File,
    /// For messages.
    path: String,
}

impl Namespaces {
    /// Takes hold of those that are to be joined.
    ///
    /// # Errors
    /// ENOENT when one is not there; and when it is of another kind than its
    /// name says.
    pub fn open(config: &Config) -> Result<Namespaces> {
        let (mut new, mut joined) = (0, Vec::new());
        for namespace in &config.linux.namespaces {
            let flag = namespace.flag()?;
            match namespace.joined() {
                Some(path) => {
                    let text = path.display().to_string();
                    let join = || Joined::open(flag, text.clone());
                    joined.extend(join().with_context(|| {
                        format!("join the {} namespace", namespace.kind)
                    })?);
                }
                None if is_made_inside(flag) => {}
                None => new |= flag as u64,
            }
        }
        Ok(Namespaces { new, joined })
    }

    /// Has the process born with the new ones, and in the others.
    pub fn set_stage<'a>(&'a self, stage: &mut Stage<'a>) {
        stage.blind(self.new as libc::c_int);
        if !self.joined.is_empty() {
            stage.hooks.fork = Some(self);
        }
    }

    /// The helper: joins what is to be joined. Returns what is to be made.
    ///
    /// The user namespace comes last, since root has no powers over the
    /// others any more when it has joined it; what is made after that belongs
    /// to it.
    fn join(&self) -> Result<u64> {
        let user = CloneFlags::CLONE_NEWUSER;
        let (last, first): (Vec<_>, Vec<_>) =
            self.joined.iter().partition(|it| it.kind == user);
        for one in first.into_iter().chain(last) {
            setns(&one.file, one.kind)
                .with_context(|| format!("join {}", one.path))?;
        }
        Ok(self.new)
    }
}

impl Fork for Namespaces {
    fn fork(
        &self,
        flags: u64,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Option<Process>> {
        debug_assert_eq!(flags, self.new);
        let made = born::make(|| self.join(), cgroup)?;
        Ok(made.map(|(process, _)| process))
    }
}

impl Joined {
    /// `None` for the launcher's own, which is joined by doing nothing: the
    /// kernel would refuse the user namespace that one is in (setns(2)).
    fn open(flag: i32, path: String) -> Result<Option<Joined>> {
        let file =
            File::open(&path).with_context(|| format!("open {path}"))?;
        // SAFETY: NS_GET_NSTYPE takes no argument; for a file that is no
        // namespace it is ENOTTY (ioctl_ns(2)).
        let found = unsafe { request::kind_of(file.as_raw_fd()) };
        ensure!(found == Ok(flag), "{path} is not a namespace of this kind");
        let own = File::open(format!("/proc/self/ns/{}", name_of(flag)))?;
        let place = |file: &File| -> std::io::Result<(u64, u64)> {
            use std::os::unix::fs::MetadataExt;
            let found = file.metadata()?;
            Ok((found.dev(), found.ino()))
        };
        let is_own = place(&own)? == place(&file)?;
        let kind = CloneFlags::from_bits_retain(flag);
        Ok((!is_own).then_some(Joined { kind, file, path }))
    }
}

/// As /proc/PID/ns calls it.
fn name_of(flag: i32) -> &'static str {
    let kinds = step11::namespaces::KINDS;
    kinds.iter().find(|(_, its)| *its == flag).map_or("", |(name, _)| name)
}

fn is_made_inside(flag: i32) -> bool {
    [libc::CLONE_NEWCGROUP, libc::CLONE_NEWTIME].contains(&flag)
}

/// Outside, while the process waits: who its users are.
///
/// # Errors
/// As for [`step06::user::write_maps`].
pub fn write_maps(process: &Process, config: &Config) -> Result<()> {
    if !config.makes(libc::CLONE_NEWUSER) {
        return Ok(());
    }
    let maps = |all: &[IdMapping]| all.iter().map(|&it| it.into()).collect();
    let maps = step06::Maps {
        uids: maps(&config.linux.uid_mappings),
        gids: maps(&config.linux.gid_mappings),
        writer: writer(&config.linux.uid_mappings),
    };
    step06::user::write_maps(process.pid, &maps)
}

/// Who may write these maps: user_namespaces(7).
fn writer(uids: &[IdMapping]) -> Writer {
    match (geteuid().is_root(), uids) {
        (true, _) => Writer::Root,
        (false, [only]) if only.size == 1 => Writer::Unprivileged,
        (false, _) => Writer::Helpers,
    }
}

/// Inside: all that the process does for its own blindfolds.
///
/// # Errors
/// Those of both.
pub fn put_on(config: &Config) -> Result<()> {
    become_root(config)?;
    make_the_rest(config)
}

/// Inside: becomes root there. Where others can see this process, they must
/// not look into its memory, a copy of the launcher's (CVE-2016-9962).
///
/// # Errors
/// EINVAL when the maps have no number 0.
fn become_root(config: &Config) -> Result<()> {
    let is_alone = config.makes(libc::CLONE_NEWPID);
    match is_alone && config.makes(libc::CLONE_NEWUSER) {
        true => become_root_alone(),
        false => become_user(0, 0, &[]).and_then(|()| hide()),
    }
}

/// Inside, in its own group by now: the two that a process makes for itself.
///
/// # Errors
/// ERANGE for a clock that would have been started in the future.
fn make_the_rest(config: &Config) -> Result<()> {
    if config.makes(libc::CLONE_NEWCGROUP) {
        step09::ipc::hide_groups()?;
    }
    if config.makes(libc::CLONE_NEWTIME) {
        let offsets = config.linux.time_offsets.iter().map(|(clock, it)| {
            format!("{clock} {} {}\n", it.secs, it.nanosecs)
        });
        step09::shift_clocks(&offsets.collect::<String>())?;
    }
    Ok(())
}

/// Inside: the names of the machine, as this UTS namespace has them.
///
/// # Errors
/// EINVAL for one that is longer than 64 bytes.
pub fn set_names(config: &Config) -> Result<()> {
    let text =
        |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(name) = text(&config.hostname) {
        step01::uts::set_hostname(&name)?;
    }
    text(&config.domainname).map_or(Ok(()), |it| step01::set_domainname(&it))
}
