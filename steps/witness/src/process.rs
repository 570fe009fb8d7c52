//! What /proc says about any process.

use std::fs;

use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// The numbers of a process's children.
pub fn children(pid: i32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    children.split_whitespace().filter_map(|c| c.parse().ok()).collect()
}

/// Every process that this test program has made, those that they have made
/// included: parents before their children.
pub fn descendants() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let tasks = tasks
        .flatten()
        .filter_map(|task| task.file_name().to_str()?.parse().ok());
    tasks.flat_map(descendants_of_thread).collect()
}

/// The same for one thread of this program. (An orphan becomes the child of
/// whichever thread the kernel takes.)
pub fn descendants_of_thread(thread: i32) -> Vec<i32> {
    let path = format!("/proc/self/task/{thread}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children = children.split_whitespace().flat_map(str::parse);
    children.flat_map(with_descendants).collect()
}

fn with_descendants(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().flat_map(str::parse);
        all.extend(children.flat_map(with_descendants));
    }
    all
}

/// What it was started with, or its name where that is not to be had.
pub fn command_line(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    if line.is_empty() { name(pid) } else { line.trim_end().to_owned() }
}

/// The name that `ps` shows.
pub fn name(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    name.unwrap_or_default().trim_end().to_owned()
}

/// A field of its /proc/PID/status; `None` when it is gone.
pub fn status(pid: i32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut fields = status.lines().filter_map(|l| l.split_once(':'));
    let (_, value) = fields.find(|(name, _)| *name == field)?;
    Some(value.trim().to_owned())
}

/// Its state, such as `S` for asleep or `Z` for a zombie; `None` when it is
/// gone.
pub fn state(pid: i32) -> Option<char> {
    status(pid, "State")?.chars().next()
}

/// Has it ended? (A zombie has.)
pub fn is_gone(pid: i32) -> bool {
    state(pid).is_none_or(|state| matches!(state, 'Z' | 'X'))
}

/// Reaps the dead processes of other PID namespaces that have become children
/// of this test, as orphans become children of the machine's init. The PID 1
/// of such a namespace cannot end while one is left (pid_namespaces(7)).
pub fn reap_orphans() {
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten()
    {
        let path = task.path().join("children");
        let pids = fs::read_to_string(path).unwrap_or_default();
        for pid in pids.split_whitespace().flat_map(str::parse::<i32>) {
            let numbers = status(pid, "NSpid").unwrap_or_default();
            let own = status(std::process::id() as i32, "NSpid");
            let depth = |numbers: &str| numbers.split_whitespace().count();
            if state(pid) == Some('Z')
                && depth(&numbers) > depth(&own.unwrap_or_default())
            {
                let _ = waitpid(Pid::from_raw(pid), None);
            }
        }
    }
}

/// Is this signal in a mask of its /proc/PID/status: in `ShdPnd`, the signals
/// still on their way, in `SigCgt`, those with a handler …? Always false when
/// the process is gone.
pub fn has_signal(pid: i32, mask: &str, signal: Signal) -> bool {
    let mask = status(pid, mask);
    let mask = mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    mask.unwrap_or(0) & (1 << (signal as i32 - 1)) != 0
}

/// Every process in this PID namespace.
pub fn inhabitants(namespace: &str) -> Vec<i32> {
    let is_there = |pid: &i32| {
        let its = fs::read_link(format!("/proc/{pid}/ns/pid"));
        its.is_ok_and(|its| its.as_os_str() == namespace) && !is_gone(*pid)
    };
    everybody().filter(is_there).collect()
}

/// Every process in the session of this leader (credentials(7)): a shell and
/// what was started in it, background jobs included.
pub fn session(leader: i32) -> Vec<i32> {
    let leader = leader.to_string();
    let is_in = |pid: &i32| {
        let numbers = status(*pid, "NSsid").unwrap_or_default();
        numbers.split_whitespace().next() == Some(&leader)
    };
    everybody().filter(is_in).collect()
}

fn everybody() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
