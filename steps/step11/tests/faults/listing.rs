//! The system calls that the processes of a case make.

use std::collections::BTreeMap;
use std::fmt;

/// A line that strace has printed, with the process that it is about.
pub type Line = (i32, String);

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The process that was started; with --detach it only waits.
    Launcher,
    /// With --detach, the launcher that goes on without a terminal.
    Supervisor,
    /// The process that is to execute the command.
    Container,
}

/// A system call, as strace prints it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose it is.
    pub role: Role,
    /// `mount`, `openat` …
    pub name: String,
    /// Which of this process's calls of that name it is, from 1.
    pub when: u32,
    /// Is the last gate open to the container? Nothing is between it and the
    /// command then, and its death is that of the command.
    pub is_free: bool,
    /// The arguments, and the answer if no other process's call came between.
    pub text: String,
}

/// The name of a call, and one for all those that do the same: which of them
/// is made depends on the processor (aarch64 has no mkdir(2)) and on the C
/// library (glibc 2.41 calls fstat(2) where 2.36 called newfstatat(2)).
pub fn plain(name: &str) -> &str {
    match name {
        "dup3" => "dup2",
        "fstat" | "fstatat64" | "lstat" | "newfstatat" | "statx" => "stat",
        "fstatfs" => "statfs",
        "mkdirat" => "mkdir",
        "open" => "openat",
        "pipe" => "pipe2",
        "ppoll" => "poll",
        "readlinkat" => "readlink",
        "renameat" | "renameat2" => "rename",
        "symlinkat" => "symlink",
        other => other,
    }
}

impl Call {
    /// Is it about the group that the container is to be in?
    pub fn is_about_groups(&self) -> bool {
        self.text.contains("/sys/fs/cgroup/workshop")
            || self.text.contains("CLONE_INTO_CGROUP")
    }
}

/// Which process has which role, told by a call that only this role makes.
pub fn roles(lines: &[Line]) -> BTreeMap<i32, Role> {
    let who = |sign: &str| {
        let mut all = lines.iter().filter(|(_, line)| line.contains(sign));
        all.next().map(|(pid, _)| *pid)
    };
    let mut roles = BTreeMap::new();
    // The gate is made by the process that makes the container.
    roles.extend(who("socketpair(").map(|pid| (pid, Role::Supervisor)));
    roles.extend(who("iov_base=\"R\"").map(|pid| (pid, Role::Container)));
    roles.insert(lines[0].0, Role::Launcher);
    roles
}

/// The calls of the set-up.
pub fn calls(
    lines: &[Line],
    roles: &BTreeMap<i32, Role>,
    follows: bool,
) -> Vec<Call> {
    let mut counts: BTreeMap<(i32, &str), u32> = BTreeMap::new();
    let mut is_loaded: BTreeMap<i32, bool> = BTreeMap::new();
    let mut calls = Vec::new();
    for (pid, line) in lines {
        let Some(&role) = roles.get(pid) else { continue };
        let Some((name, text)) = line.split_once('(') else { continue };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let loaded = is_loaded.entry(*pid).or_insert(role != Role::Launcher);
        // The first thing that main does is to look at its own program. What
        // comes before that is the loader's and the Rust runtime's.
        *loaded |= text.contains("\"/proc/self/exe\", O_RDONLY");
        // Where it is attached to, strace counts from the gate on.
        let is_gate = !follows && role == Role::Container && name == "recvmsg";
        if is_gate && !counts.contains_key(&(*pid, name)) {
            counts.retain(|(owner, _), _| owner != pid);
            calls.retain(|call: &Call| call.role != role);
        }
        let when = counts.entry((*pid, name)).or_default();
        *when += 1;
        if *loaded {
            let (name, text) = (name.to_owned(), text.to_owned());
            let (when, is_free) = (*when, false);
            calls.push(Call { role, name, when, is_free, text });
        }
        *loaded &= !name.starts_with("execve");
    }
    tell_sockets(&mut calls);
    mark_free(&mut calls);
    for role in roles.values() {
        cut(&mut calls, *role);
    }
    calls
}

/// What a socket is for is told by what is done with it.
fn tell_sockets(calls: &mut [Call]) {
    for number in 0..calls.len() {
        let Call { role, name, .. } = &calls[number];
        let mut later = calls[number + 1..].iter();
        let next = later.find(|call| call.role == *role);
        if let (Some(next), "socket") = (next, &**name) {
            let next = format!(" then {}({}", next.name, next.text);
            calls[number].text += &next;
        }
    }
}

/// From the last gate on, nothing holds the container back.
fn mark_free(calls: &mut [Call]) {
    let is_inside = |call: &Call| call.role == Role::Container;
    let is_gate = |call: &Call| is_inside(call) && call.name == "recvmsg";
    if let Some(last) = calls.iter().rposition(is_gate) {
        let free = calls[last..].iter_mut().filter(|call| is_inside(call));
        free.for_each(|call| call.is_free = true);
    }
}

/// Leaves out what a process does when the command runs.
fn cut(calls: &mut Vec<Call>, role: Role) {
    let own: Vec<&Call> = calls.iter().filter(|c| c.role == role).collect();
    let last = |names: &[&str]| {
        own.iter().rposition(|call| names.contains(&plain(&call.name)))
    };
    let end = match role {
        Role::Container => own.iter().position(|call| {
            matches!(&*call.name, "clone" | "clone3" | "execve")
        }),
        // The state file is written when the command runs, and again at its
        // end. The last gate comes before, and letting go of stdout between.
        _ => own
            .iter()
            .position(|call| call.name.starts_with("rename"))
            .max(last(&["recvmsg", "dup2"])),
    };
    let Some(end) = end else { return };
    let mut number = 0;
    calls.retain(|call| {
        number += usize::from(call.role == role);
        call.role != role || number <= end + 1
    });
}

/// The call at which the launcher is stopped while strace is attached to the
/// container: the one after the last process that it has made.
pub fn hold(
    lines: &[Line],
    roles: &BTreeMap<i32, Role>,
) -> Option<(String, u32)> {
    let launcher = lines[0].0;
    // An init makes a process, too.
    let is_launcher = |pid: &i32| {
        roles.get(pid).is_some_and(|role| *role != Role::Container)
    };
    let maker = |(pid, line): &Line| {
        is_launcher(pid)
            && line.starts_with("clone3(")
            && line.contains("CLONE_PIDFD")
    };
    let born = lines.iter().rposition(maker)?;
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, (pid, line)) in lines.iter().enumerate() {
        let Some((name, _)) = line.split_once('(') else { continue };
        if *pid != launcher || name.contains(' ') {
            continue;
        }
        let count = counts.entry(name).or_default();
        *count += 1;
        if number > born {
            return Some((name.into(), *count));
        }
    }
    None
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Launcher => "launcher",
            Role::Supervisor => "supervisor",
            Role::Container => "container",
        })
    }
}
