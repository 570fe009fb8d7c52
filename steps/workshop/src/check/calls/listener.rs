//! The filter that asks, and the descriptor on which it does.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_long, sock_filter};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg,
};
use nix::unistd::geteuid;
use step08::bpf::{self, EQUAL, NEXT, NUMBER, jump, load};

use super::{Answer, Call};

nix::ioctl_readwrite!(receive, b'!', 0, libc::seccomp_notif);
nix::ioctl_readwrite!(send, b'!', 1, libc::seccomp_notif_resp);

/// "One of these: ask. All others: allowed."
pub(super) fn filter(numbers: &[c_long]) -> Vec<sock_filter> {
    let mut filter = vec![load(NUMBER)];
    for number in numbers {
        filter.push(jump(EQUAL, *number as u32, NEXT, 1));
        filter.push(bpf::answer(libc::SECCOMP_RET_USER_NOTIF));
    }
    filter.push(bpf::answer(libc::SECCOMP_RET_ALLOW));
    filter
}

/// Puts the filter on this process, and sends the descriptor through `socket`.
/// Where there can be no filter, nothing is sent.
///
/// # Errors
/// Nobody receives it.
pub(super) fn install(
    filter: &[sock_filter],
    socket: &OwnedFd,
) -> io::Result<()> {
    let Ok(listener) = listen(filter) else { return Ok(()) };
    let right = [listener.as_raw_fd()];
    let right = [ControlMessage::ScmRights(&right)];
    let text = [io::IoSlice::new(b"l")];
    let (socket, flags) = (socket.as_raw_fd(), MsgFlags::empty());
    sendmsg::<()>(socket, &text, &right, flags, None)?;
    Ok(())
}

/// Without root a filter takes a promise: that no program will raise its
/// privileges and still have it on.
fn listen(filter: &[sock_filter]) -> nix::Result<OwnedFd> {
    if !geteuid().is_root() {
        prctl::set_no_new_privs()?;
    }
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which lives until the call
    // returns, and does not write to it.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    let listener = Errno::result(listener)? as RawFd;
    // SAFETY: the kernel has just made it, close-on-exec, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

/// The descriptor that [`install`] has sent.
pub(super) fn take(socket: &OwnedFd) -> Option<OwnedFd> {
    let mut byte = [0];
    let mut parts = [io::IoSliceMut::new(&mut byte)];
    let mut rights = nix::cmsg_space!([RawFd; 1]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let socket = socket.as_raw_fd();
    let message =
        recvmsg::<()>(socket, &mut parts, Some(&mut rights), flags).ok()?;
    message.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(fds) => {
            let &fd = fds.first()?;
            // SAFETY: the kernel has just made this descriptor for us.
            Some(unsafe { OwnedFd::from_raw_fd(fd) })
        }
        _ => None,
    })
}

/// Waits for a call, and answers it as `look` says.
///
/// # Errors
/// ENOENT: the process is gone.
pub(super) fn answer(
    listener: &OwnedFd,
    look: impl FnOnce(&Call) -> Answer,
) -> nix::Result<()> {
    // SAFETY: both structs are plain integers, for which zero is valid, and
    // the kernel wants the first one zeroed.
    let (mut notice, mut reply): (
        libc::seccomp_notif,
        libc::seccomp_notif_resp,
    ) = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills in the struct that it is given.
    unsafe { receive(listener.as_raw_fd(), &raw mut notice) }?;
    let answer = look(&Call {
        pid: notice.pid as i32,
        number: c_long::from(notice.data.nr),
        arguments: notice.data.args,
    });
    reply.id = notice.id;
    match answer {
        Answer::GoOn => {
            reply.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
        }
        Answer::Refuse(errno) => reply.error = -(errno as i32),
    }
    // SAFETY: the kernel reads the struct that it is given.
    unsafe { send(listener.as_raw_fd(), &raw mut reply) }?;
    Ok(())
}
