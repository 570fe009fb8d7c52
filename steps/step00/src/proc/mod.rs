//! What the kernel says about one process: its folder in /proc.
//!
//! proc(5) stores nothing: each read asks the kernel, and the answer is about
//! this moment. Ledger, `peek`, `check`, `doctor` and `inspect` all ask here,
//! so that they cannot disagree.
//!
//! - [`Proc`] - the folder, and the files in it that have one value.
//! - [`Mounts`], [`Mount`] - `mountinfo`, and which of them is its `/`.
//! - [`IdMap`], [`Range`] - `uid_map` and `gid_map`.
//! - [`Route`] - `net/route`.
//! - [`own`] - files that are written to, or believed: surely the kernel's.
//!
//! Not promised: that two answers fit together. A process goes on living
//! between two reads, and its number may be another's after its end, unless
//! its folder is held open ([`Proc::hold`]).

mod id_map;
mod mounts;
pub mod own;
mod routes;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::Pid;

pub use id_map::{IdMap, Range};
pub use mounts::{Mount, Mounts};
pub use routes::Route;

/// Is this what its files answer after its end?
fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// A process's folder in /proc.
#[derive(Debug)]
pub struct Proc {
    folder: PathBuf,
    // What `folder` leads through, if it is held open.
    _held: Option<File>,
}

/// What `stat` has of a process (proc_pid_stat(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The name that `ps` shows, which the process may change at any time.
    pub name: String,
    /// `S` for asleep, `Z` for a zombie, `X` for dead …
    pub state: char,
    /// Its parent's number, 0 where that is in no PID namespace of ours.
    pub parent: i32,
    /// When it was started, in clock ticks since boot.
    pub start_time: u64,
}

impl Proc {
    /// The process with this number: looked up again at each read.
    pub fn of(pid: Pid) -> Proc {
        Proc::below(Path::new("/"), &pid.to_string())
    }

    /// The reader itself.
    pub fn own() -> Proc {
        Proc::below(Path::new("/"), "self")
    }

    /// A folder of a /proc that lies elsewhere: `name` is a number, or `self`.
    pub fn below(root: &Path, name: &str) -> Proc {
        Proc { folder: root.join("proc").join(name), _held: None }
    }

    /// The process that has this number *now*. A number may be given to
    /// another process once its owner has ended. What is read through an open
    /// folder is about the same process for good, and after its end ESRCH.
    ///
    /// # Errors
    /// ENOENT when there is no such process, or /proc hides it (`hidepid`,
    /// proc(5)).
    pub fn hold(pid: Pid) -> Result<Proc> {
        let folder = File::open(format!("/proc/{pid}"))
            .with_context(|| format!("find a process {pid}"))?;
        let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
        Ok(Proc { folder: path.into(), _held: Some(folder) })
    }

    /// Where one of its files is: `root/etc/os-release` is what the process
    /// calls /etc/os-release.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// As for [`Proc::read`].
    fn bytes(&self, file: &str) -> Result<Vec<u8>> {
        let path = self.path(file);
        // They all say that they are empty. Who believes that begins with 32
        // bytes, and asks the kernel six times for what fits in a page. A File
        // would ask for it; what is taken of one does not.
        let mut bytes = Vec::with_capacity(4096);
        File::open(&path)
            .and_then(|it| it.take(u64::MAX).read_to_end(&mut bytes))
            .with_context(|| format!("read {}", path.display()))?;
        Ok(bytes)
    }

    /// Reads a file of its folder: `status`, `mountinfo`, `net/dev`. A name in
    /// there may be any bytes; what is no UTF-8 is replaced.
    ///
    /// # Errors
    /// EACCES when it is another user's, or not dumpable (prctl(2),
    /// PR_SET_DUMPABLE), and the reader is not root. ENOENT or ESRCH when it
    /// has ended.
    pub fn read(&self, file: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes(file)?).into_owned())
    }

    /// Where a link of its folder points to: `root`, `exe`, `ns/uts`.
    ///
    /// # Errors
    /// As for [`Proc::read`]. Links are guarded more closely than most files:
    /// by the rules of ptrace(2), "Ptrace access mode checking".
    pub fn link(&self, file: &str) -> Result<String> {
        let path = self.path(file);
        let target = fs::read_link(&path)
            .with_context(|| format!("read {}", path.display()))?;
        Ok(target.to_string_lossy().into_owned())
    }

    /// The value of one field of `status` (proc_pid_status(5)).
    ///
    /// # Errors
    /// As for [`Proc::read`], or when this kernel has no such field.
    pub fn status(&self, field: &str) -> Result<String> {
        let status = self.read("status")?;
        let value = self::field(&status, field).map(str::to_owned);
        value.with_context(|| format!("find {field} in /proc/PID/status"))
    }

    /// Its number in each PID namespace that it is in, outermost first: the
    /// reader's own is the first, the process's own the last (`NSpid`).
    pub fn numbers(&self) -> Result<Vec<i32>> {
        let numbers = self.status("NSpid")?;
        let numbers = numbers.split_whitespace().map(str::parse);
        numbers.collect::<Result<_, _>>().context("read NSpid")
    }

    /// A few fields of `stat`.
    pub fn stat(&self) -> Result<Stat> {
        parse_stat(&self.read("stat")?).context("read /proc/PID/stat")
    }

    /// When it was started, in clock ticks since boot. A number is used again,
    /// a number together with its start is not.
    pub fn start_time(&self) -> Result<u64> {
        Ok(self.stat()?.start_time)
    }

    /// The name that the kernel gives to a namespace, as `uts:[4026531838]`:
    /// each is a file of its own, and this is its inode (namespaces(7)).
    pub fn namespace(&self, kind: &str) -> Result<String> {
        self.link(&format!("ns/{kind}"))
    }

    /// Is it in another namespace of this kind than the reader?
    pub fn is_apart(&self, kind: &str) -> Result<bool> {
        Ok(self.namespace(kind)? != Proc::own().namespace(kind)?)
    }

    /// The children of all its threads (proc_tid_children(5)).
    ///
    /// # Errors
    /// ENOENT when it has ended.
    pub fn children(&self) -> Result<Vec<Pid>> {
        let mut children = Vec::new();
        let path = self.path("task");
        let tasks = fs::read_dir(&path)
            .with_context(|| format!("list {}", path.display()))?;
        for task in tasks.flatten() {
            let path = task.path().join("children");
            let list = match fs::read_to_string(&path) {
                // A thread may end at any time.
                Err(error) if has_ended(&error) => continue,
                list => list,
            };
            let list =
                list.with_context(|| format!("read {}", path.display()))?;
            let pids = list.split_whitespace().flat_map(str::parse);
            children.extend(pids.map(Pid::from_raw));
        }
        Ok(children)
    }

    /// Its group in the one tree of cgroup v2, as the reader sees it: the line
    /// `0::/path` (cgroups(7)). `None` on a machine with version 1 alone.
    pub fn group(&self) -> Result<Option<String>> {
        let groups = self.read("cgroup")?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"));
        Ok(path.map(str::to_owned))
    }

    /// By how many seconds its uptime differs from the machine's
    /// (time_namespaces(7), "/proc/pid/timens_offsets").
    pub fn boottime_offset(&self) -> Result<i64> {
        let offsets = self.read("timens_offsets")?;
        let line = offsets.lines().find_map(|l| l.strip_prefix("boottime"));
        let seconds = line.and_then(|line| line.split_whitespace().next());
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        seconds.context("read timens_offsets")
    }

    /// Its user map: the numbers outside are as the reader counts.
    pub fn uid_map(&self) -> Result<IdMap> {
        Ok(IdMap::parse(&self.read("uid_map")?))
    }

    /// Its group map.
    pub fn gid_map(&self) -> Result<IdMap> {
        Ok(IdMap::parse(&self.read("gid_map")?))
    }

    /// The IPv4 routes of its network namespace.
    pub fn routes(&self) -> Result<Vec<Route>> {
        Ok(Route::parse_all(&self.read("net/route")?))
    }

    /// What it sees mounted.
    pub fn mounts(&self) -> Result<Mounts> {
        let table = self.bytes("mountinfo")?;
        Ok(Mounts::parse(&table, mounts::id_of(&self.path("root")).ok()))
    }
}

/// One field of the text of `status`, for reading several fields of the same
/// moment.
pub fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = status.lines().filter_map(|l| l.split_once(':'));
    let (_, value) = fields.find(|(known, _)| *known == name)?;
    Some(value.trim())
}

/// The second field is the program's name, which may hold anything, a blank
/// and a ")" too. So the fields are counted from the last ")" on, where the
/// third one follows.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, rest) = line.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3);
    Some(Stat {
        name: name.to_owned(),
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        start_time: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let rest = "R 17 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 424242 1";
        let stat = |name| parse_stat(&format!("42 ({name}) {rest}"));
        for name in ["sh", "a b", ") S 1 2 3", "((", ""] {
            let stat = stat(name).expect(name);
            assert_eq!((&*stat.name, stat.state), (name, 'R'));
            assert_eq!((stat.parent, stat.start_time), (17, 424242));
        }
        assert_eq!(parse_stat("42 (sh) R 17"), None, "control: cut off");
    }

    #[test]
    fn both_ways_to_a_process_lead_to_the_same() {
        let own = Proc::own();
        let stat = own.stat().unwrap();
        let hold = Proc::hold(Pid::this()).unwrap();
        for other in [Proc::of(Pid::this()), hold] {
            // Its state may be another one by now.
            let other = other.stat().unwrap();
            assert_eq!(other.name, stat.name);
            assert_eq!(other.parent, stat.parent);
            assert_eq!(other.start_time, stat.start_time);
        }
        let parent = Proc::of(Pid::parent());
        assert_eq!(stat.parent, Pid::parent().as_raw());
        assert_ne!(parent.start_time().unwrap(), 0);
        assert!(!own.is_apart("uts").unwrap());
        assert_eq!(own.numbers().unwrap().first(), Some(&Pid::this().into()));
        assert!(own.status("Nothing").is_err(), "control: no such field");
    }

    /// A folder of a /proc that lies elsewhere, with files of our own.
    fn elsewhere(files: &[(&str, &str)]) -> (witness::Folder, Proc) {
        let root = witness::Folder::new();
        for (name, text) in files {
            let path = root.join("proc/7").join(name);
            let folder = path.parent().expect("a folder");
            fs::create_dir_all(folder).expect("make a folder");
            fs::write(path, text).expect("write a file");
        }
        let proc = Proc::below(root.path(), "7");
        (root, proc)
    }

    #[test]
    fn each_file_is_read_in_its_own_way() {
        let (root, proc) = elsewhere(&[
            ("cgroup", "1:cpu:/x\n0::/a/b\n"),
            ("timens_offsets", "monotonic 5 0\nboottime -86400 0\n"),
            ("task/7/children", "8 9 "),
            ("task/10/children", "11 "),
            ("uid_map", "0 1000 1\n"),
            ("gid_map", "0 2000 1\n"),
            ("net/route", "Iface\nx 0 0 0 0 0 0 0\n"),
            ("status", "Name:\tx\nNSpid:\t7\t3\t1\n"),
            ("comm", "\u{2026}"),
        ]);
        assert_eq!(proc.path("comm"), root.join("proc/7/comm"));
        assert_eq!(proc.read("comm").unwrap(), "\u{2026}");
        assert_eq!(proc.group().unwrap().as_deref(), Some("/a/b"));
        assert_eq!(proc.boottime_offset().unwrap(), -86400);
        assert_eq!(proc.numbers().unwrap(), [7, 3, 1]);
        let mut children = proc.children().unwrap();
        children.sort();
        assert_eq!(children, [8, 9, 11].map(Pid::from_raw));
        assert_eq!(proc.uid_map().unwrap().outside(0), Some(1000));
        assert_eq!(proc.gid_map().unwrap().outside(0), Some(2000));
        let routes = proc.routes().unwrap();
        assert!(routes.len() == 1 && routes[0].is_default());
        // The control: version 1 alone, and no file at all.
        let (_root, proc) = elsewhere(&[("cgroup", "1:cpu:/x\n")]);
        assert_eq!(proc.group().unwrap(), None);
        let error = proc.children().expect_err("no such folder");
        assert!(error.to_string().starts_with("list "), "{error:#}");
        let error = proc.read("comm").expect_err("no such file");
        assert!(error.to_string().starts_with("read "), "{error:#}");
    }

    #[test]
    fn links_say_which_namespace_it_is() {
        let own = Proc::own();
        let uts = own.link("ns/uts").unwrap();
        assert!(uts.starts_with("uts:["), "{uts}");
        assert_eq!(own.namespace("uts").unwrap(), uts);
        let (root, other) = elsewhere(&[("ns/x", "")]);
        let link = root.join("proc/7/ns/uts");
        std::os::unix::fs::symlink("uts:[1]", link).expect("make a link");
        assert!(other.is_apart("uts").unwrap());
        assert!(!own.is_apart("uts").unwrap(), "the control");
    }

    #[test]
    fn a_process_that_is_held_is_not_exchanged() {
        let mut child = witness::command("true").spawn().expect("start one");
        let pid = Pid::from_raw(child.id() as i32);
        let held = Proc::hold(pid).unwrap();
        assert_eq!(held.stat().unwrap().parent, Pid::this().as_raw());
        witness::wait(&mut child);
        let error = held.stat().expect_err("it has ended");
        let errno = error.downcast_ref::<std::io::Error>();
        let errno = errno.and_then(std::io::Error::raw_os_error);
        assert_eq!(errno, Some(libc::ESRCH), "{error:#}");
        assert!(Proc::hold(pid).is_err(), "there is no such process");
    }

    #[test]
    fn the_mounts_are_those_of_the_process() {
        let mounts = Proc::own().mounts().unwrap();
        let root = mounts.root().expect("a mount on its root");
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(table.lines().count() > 0);
        assert!(table.contains(&root.kind), "{root:?}");
    }
}
