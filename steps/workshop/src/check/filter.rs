//! A process's seccomp filter, as the kernel has it, and what it answers.
//!
//! ptrace(2) hands it out, to root alone (PTRACE_SECCOMP_GET_FILTER). It is
//! then run here, and no call has to be made.

use std::ptr::null_mut;

use anyhow::{Context, ensure};
use libc::{c_long, sock_filter};
use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// ptrace.h; libc has no name for it.
const GET_FILTER: u32 = 0x420c;

/// What seccomp answers when a program is not understood here.
pub const UNKNOWN: u32 = u32::MAX;

/// The filter that was installed last.
///
/// # Errors
/// There is none (ENOENT), or this kernel shows none (EIO: it is built without
/// CONFIG_CHECKPOINT_RESTORE).
pub fn of(pid: i32) -> anyhow::Result<Vec<sock_filter>> {
    trace(libc::PTRACE_SEIZE, pid, 0).context("trace the process")?;
    let filter = stopped(pid);
    let left = trace(libc::PTRACE_DETACH, pid, 0);
    let filter = filter.context("read its seccomp filter")?;
    left.context("let go of the process")?;
    Ok(filter)
}

fn stopped(pid: i32) -> anyhow::Result<Vec<sock_filter>> {
    trace(libc::PTRACE_INTERRUPT, pid, 0)?;
    waitpid(Pid::from_raw(pid), Some(WaitPidFlag::__WALL))?;
    let length = trace(GET_FILTER, pid, 0)?;
    ensure!(length > 0, "it is empty");
    let none = sock_filter { code: 0, jt: 0, jf: 0, k: 0 };
    let mut filter = vec![none; length as usize];
    trace(GET_FILTER, pid, filter.as_mut_ptr() as usize)?;
    Ok(filter)
}

fn trace(request: u32, pid: i32, data: usize) -> nix::Result<c_long> {
    // SAFETY: `data` is 0, or the address of as many instructions as the
    // kernel has said that there are, and they outlive the call.
    let answer = unsafe {
        libc::ptrace(request, pid, null_mut::<u8>(), data as *mut u8)
    };
    Errno::result(answer)
}

/// What the filter says to call `number` of an architecture, with arguments
/// that are all 0. bpf(4) of FreeBSD describes the machine.
#[must_use]
pub fn answer(filter: &[sock_filter], architecture: u32, number: u32) -> u32 {
    // struct seccomp_data: the number, the architecture, and then 0s.
    walk(filter, [number, architecture], 0).unwrap_or(UNKNOWN)
}

/// Runs a piece of a filter, with what the piece before it has loaded.
///
/// # Errors
/// It gives no answer: the index at which it leaves the piece.
pub fn walk(
    piece: &[sock_filter],
    data: [u32; 2],
    loaded: u32,
) -> Result<u32, usize> {
    let (mut accumulator, mut at) = (loaded, 0);
    while let Some(instruction) = piece.get(at) {
        let k = instruction.k;
        at += 1;
        let test = match u32::from(instruction.code) {
            // LD W ABS
            0x20 => {
                let word = data.get(k as usize / 4);
                accumulator = word.copied().unwrap_or(0);
                continue;
            }
            // JA
            0x05 => {
                at += k as usize;
                continue;
            }
            // AND with k
            0x54 => {
                accumulator &= k;
                continue;
            }
            0x06 => return Ok(k),
            0x15 => accumulator == k,
            0x25 => accumulator > k,
            0x35 => accumulator >= k,
            0x45 => accumulator & k != 0,
            _ => return Ok(UNKNOWN),
        };
        let distance = if test { instruction.jt } else { instruction.jf };
        at += usize::from(distance);
    }
    Err(at)
}

/// An answer of seccomp, in words.
#[must_use]
pub fn named(answer: u32) -> String {
    match answer & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_ALLOW => "allowed".into(),
        libc::SECCOMP_RET_ERRNO => {
            let errno = Errno::from_raw((answer & 0xffff) as i32);
            format!("{errno:?}")
        }
        libc::SECCOMP_RET_KILL_PROCESS => "the process is killed".into(),
        libc::SECCOMP_RET_KILL_THREAD => "the thread is killed".into(),
        other => format!("answer {other:#x}"),
    }
}
