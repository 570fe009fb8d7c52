//! The two ways in which a map is written: into /proc, by us, or by a helper
//! that may write more than we may.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, Error, Result, bail};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, geteuid, getpid, getppid, setgroups};
use step00::Advice;
use step00::proc::own;

use crate::mapping::Mapping;

/// Writes a file of the process in /proc.
pub(crate) fn write(pid: Pid, file: &str, text: &str) -> Result<()> {
    let path = format!("{pid}/{file}");
    own::write(Path::new(&path), text).or_else(|error| {
        let advice = why_not(&error);
        Err(error).advice(advice)
    })
}

/// Gives up the launcher's groups, by the word of a /proc that is the
/// kernel's: for who is about to enter a container that runs, which may have
/// put another file there.
///
/// # Errors
/// When /proc is not the kernel's own.
pub fn give_up_groups() -> Result<()> {
    match own::read(Path::new("self/setgroups"))?.trim() {
        "deny" => Ok(()),
        _ if !geteuid().is_root() => Ok(()),
        _ => setgroups(&[]).context("give up the launcher's groups"),
    }
}

/// One line for each range: inside, outside, how many.
pub(crate) fn lines(mappings: &[Mapping]) -> String {
    let line =
        |m: &Mapping| format!("{} {} {}\n", m.inside, m.outside, m.count);
    mappings.iter().map(line).collect()
}

/// Runs newuidmap(1) or newgidmap(1).
pub(crate) fn run_helper(
    helper: &str,
    pid: Pid,
    mappings: &[Mapping],
) -> Result<()> {
    let numbers = mappings.iter().flat_map(|m| [m.inside, m.outside, m.count]);
    let numbers: Vec<String> = numbers.map(|n| n.to_string()).collect();
    let mut command = Command::new(helper);
    die_with_launcher(&mut command);
    let output = command
        .arg(pid.to_string())
        .args(&numbers)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {helper}"))?;
    if !output.status.success() {
        bail!(
            "{helper} {}: {}",
            numbers.join(" "),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(())
}

/// Has a helper end when its launcher does, even by SIGKILL: who works on a
/// path below /proc/PID would go on with another process's files when that
/// number is used again. (The kernel forgets it for a set-user-ID program,
/// which does its work in a moment.)
pub(crate) fn die_with_launcher(command: &mut Command) {
    let launcher = getpid();
    let follow = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        match getppid() == launcher {
            true => Ok(()),
            // It was quicker.
            false => Err(io::Error::from(Errno::ESRCH)),
        }
    };
    // SAFETY: between fork and exec only these two system calls are made, and
    // neither allocates.
    unsafe { command.pre_exec(follow) };
}

/// The likeliest reason why a map could not be written.
fn why_not(error: &Error) -> &'static str {
    let cause = error.downcast_ref::<io::Error>();
    if cause.and_then(io::Error::raw_os_error) == Some(libc::EINVAL) {
        return "ranges that do not overlap, inside or outside, 340 at most";
    }
    let file = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    let restricted = fs::read_to_string(file).unwrap_or_default();
    match restricted.trim() {
        "1" => "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        _ => "a range takes root, or newuidmap with a line in /etc/subuid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_a_line_for_each_range() {
        let one = Mapping { inside: 0, outside: 1000, count: 1 };
        let two = Mapping { inside: 1, outside: 100_000, count: 65_536 };
        assert_eq!(lines(&[one, two]), "0 1000 1\n1 100000 65536\n");
        assert_eq!(lines(&[]), "");
    }

    #[test]
    fn the_advice_is_about_what_the_kernel_said() {
        let why = |errno| {
            let error = io::Error::from_raw_os_error(errno);
            why_not(&Error::from(error).context("write a map"))
        };
        assert!(why(libc::EINVAL).contains("do not overlap"));
        let other = why(libc::EPERM);
        assert!(!other.contains("overlap"), "{other}");
        assert!(other.len() > 9, "{other}");
    }

    #[test]
    fn a_helper_that_fails_is_quoted() {
        let one = Mapping { inside: 0, outside: 1000, count: 1 };
        let run = |helper| run_helper(helper, getpid(), &[one]);
        run("true").expect("a helper that succeeds");
        let error = run("false").expect_err("one that fails").to_string();
        assert!(error.contains("false 0 1000 1: "), "{error}");
        let error = run("no-such-helper").expect_err("there is none");
        assert!(error.to_string().contains("run no-such-helper"));
    }
}
