//! Resource limits, most of them of a single process: getrlimit(2).
//!
//! These are older than cgroups and count for each process, or for all
//! processes of a user, not for a group. Some have no cgroup file at all: the
//! number of open files, the size of a file or of a core dump.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::resource::Resource;
use nix::unistd::Pid;
use step00::Advice;

/// `NAME=SOFT[:HARD]`, as it is written on the command line.
#[derive(Debug, Clone)]
pub struct Limit {
    name: String,
    resource: Resource,
    soft: u64,
    hard: u64,
}

/// RLIM64_INFINITY of linux/resource.h: the numbers of prlimit(2) have 64 bits
/// on every processor, and those of setrlimit(2) have not.
const UNLIMITED: u64 = u64::MAX;

/// As setrlimit(2) calls them, without RLIMIT_.
const RESOURCES: [(&str, Resource); 16] = [
    ("as", Resource::RLIMIT_AS),
    ("core", Resource::RLIMIT_CORE),
    ("cpu", Resource::RLIMIT_CPU),
    ("data", Resource::RLIMIT_DATA),
    ("fsize", Resource::RLIMIT_FSIZE),
    ("locks", Resource::RLIMIT_LOCKS),
    ("memlock", Resource::RLIMIT_MEMLOCK),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE),
    ("nice", Resource::RLIMIT_NICE),
    ("nofile", Resource::RLIMIT_NOFILE),
    ("nproc", Resource::RLIMIT_NPROC),
    ("rss", Resource::RLIMIT_RSS),
    ("rtprio", Resource::RLIMIT_RTPRIO),
    ("rttime", Resource::RLIMIT_RTTIME),
    ("sigpending", Resource::RLIMIT_SIGPENDING),
    ("stack", Resource::RLIMIT_STACK),
];

/// Reads `NAME=SOFT[:HARD]`; without HARD both are the same.
///
/// # Errors
/// An unknown name, text that is no number, and a soft limit above the hard
/// one.
pub fn parse(text: &str) -> Result<Limit, String> {
    let form = "write NAME=SOFT or NAME=SOFT:HARD, in numbers or unlimited";
    let (name, numbers) = text.split_once('=').ok_or(form)?;
    let (soft, hard) = numbers.split_once(':').unwrap_or((numbers, numbers));
    let number = |text: &str| match text {
        "unlimited" => Ok(UNLIMITED),
        text => text.parse().map_err(|_| form),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        return Err("the soft limit cannot be above the hard one".into());
    }
    let known = RESOURCES.iter().find(|(known, _)| *known == name);
    let (_, resource) = *known.ok_or_else(|| {
        let names = RESOURCES.map(|(name, _)| name).join(" ");
        format!("no such limit; there are: {names}")
    })?;
    Ok(Limit { name: name.into(), resource, soft, hard })
}

impl Limit {
    /// Sets it for this process and its children.
    ///
    /// # Errors
    /// EPERM when the hard limit would be raised: that takes CAP_SYS_RESOURCE
    /// on the machine, not only in here.
    pub fn set(&self) -> Result<()> {
        const MYSELF: Pid = Pid::from_raw(0);
        self.set_for(MYSELF)
            .advice("a hard limit can only be lowered; see `ulimit -Ha`")
    }

    /// Sets it for another process, with this one's powers: prlimit(2).
    ///
    /// # Errors
    /// EPERM without CAP_SYS_RESOURCE in the process's user namespace; to raise
    /// a hard limit, on the machine.
    pub fn set_for(&self, process: Pid) -> Result<()> {
        let limit =
            libc::rlimit64 { rlim_cur: self.soft, rlim_max: self.hard };
        // SAFETY: `limit` lives until the call returns, and with a null
        // pointer the kernel does not tell the old one.
        let answer = unsafe {
            libc::prlimit64(
                process.as_raw(),
                self.resource as _,
                &limit,
                std::ptr::null_mut(),
            )
        };
        Errno::result(answer).map(drop).with_context(|| {
            format!("set {} to {}:{}", self.name, self.soft, self.hard)
        })
    }
}
