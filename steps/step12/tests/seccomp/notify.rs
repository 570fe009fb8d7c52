//! SCMP_ACT_NOTIFY from end to end: a process whose rmdir(2) is answered by an
//! agent, which got the descriptor through `listenerPath`.

use crate::kernel::{as_io_error, probe};
use crate::profile;
use libc::{seccomp_notif, seccomp_notif_resp};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use step12::config::seccomp::Seccomp;
use step12::seccomp::Filter;
use step12::seccomp::listener::{Handover, send};

nix::ioctl_readwrite!(receive, b'!', 0, seccomp_notif);
nix::ioctl_readwrite!(respond, b'!', 1, seccomp_notif_resp);

fn notify(path: &Path) -> Seccomp {
    profile(json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path,
        "listenerMetadata": "of the test",
        "syscalls": [{ "names": ["rmdir", "unlinkat"],
            "action": "SCMP_ACT_NOTIFY" }],
    }))
}

/// A pipe that no other child of this process inherits.
pub fn pipe() -> (File, File) {
    let ends = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    (ends.0.into(), ends.1.into())
}

fn open_pidfd(pid: i32) -> OwnedFd {
    // SAFETY: two numbers; the answer is checked below.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let pidfd = Errno::result(pidfd).unwrap();
    // SAFETY: it is new, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(pidfd as i32) }
}

/// What the child does before it executes its program: it says who it is, puts
/// the filter on, gives the descriptor away, and waits for the word to go on.
fn filtered(
    command: &mut Command,
    filter: Filter,
    handover: Arc<Handover>,
    mut pid: File,
    mut go: File,
) {
    let child = move || {
        pid.write_all(&std::process::id().to_ne_bytes())?;
        step10::privileges::forbid_new_privileges().map_err(as_io_error)?;
        let descriptor = filter.install().map_err(as_io_error)?.unwrap();
        handover.give(&descriptor).map_err(as_io_error)?;
        go.read_exact(&mut [0])
    };
    // SAFETY: the closure runs in a forked child, where another thread may
    // have held malloc's lock: it makes system calls only, and allocates only
    // to report its own failure.
    unsafe { command.pre_exec(child) };
}

/// The agent: what it is told, and with which descriptor.
fn hear(listener: &UnixListener) -> (Value, OwnedFd) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut text = vec![0; 16 * 1024];
    let mut space = nix::cmsg_space!([i32; 2]);
    let mut parts = [IoSliceMut::new(&mut text)];
    let message = recvmsg::<()>(
        stream.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )
    .unwrap();
    let length = message.bytes;
    let control = message.cmsgs().unwrap().next().unwrap();
    let ControlMessageOwned::ScmRights(descriptors) = control else {
        panic!("{control:?}")
    };
    assert_eq!(descriptors.len(), 1);
    // SAFETY: it came with the message, and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptors[0]) };
    text.truncate(length);
    // The connection ends with the state: one for each.
    stream.read_to_end(&mut text).unwrap();
    (serde_json::from_slice(&text).unwrap(), descriptor)
}

/// The agent answers one call: it fails with EXDEV.
fn answer_one(descriptor: &OwnedFd) -> seccomp_notif {
    // SAFETY: zeros are what the kernel wants to find in it.
    let mut call: seccomp_notif = unsafe { std::mem::zeroed() };
    let number = descriptor.as_raw_fd();
    // SAFETY: both structures have the kernel's layout (seccomp_unotify(2)),
    // and outlive the calls.
    unsafe {
        receive(number, &raw mut call).unwrap();
        let mut response =
            seccomp_notif_resp { id: call.id, val: 0, error: -18, flags: 0 };
        respond(number, &raw mut response).unwrap();
    }
    call
}

#[test]
fn an_agent_answers_for_a_call() {
    let folder = witness::Folder::new();
    let socket = folder.join("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    let profile = notify(&socket);
    let handover = Arc::new(Handover::new().unwrap());
    let (mut pids, pid_writer) = pipe();
    let (go_reader, mut go) = pipe();
    let filter = Filter::build(&profile).unwrap().unwrap();
    let mut command = probe("rmdir");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    filtered(&mut command, filter, handover.clone(), pid_writer, go_reader);
    // It returns no earlier than the child executes its program.
    let spawning = thread::spawn(move || command.spawn().unwrap());
    let mut pid = [0; 4];
    pids.read_exact(&mut pid).unwrap();
    let pid = i32::from_ne_bytes(pid);

    let descriptor = handover.take(open_pidfd(pid)).unwrap();
    let state = json!({ "id": "c1", "status": "creating" });
    send(&profile, &descriptor, "1.3.0", pid, &state).unwrap();
    drop(descriptor);
    let (told, descriptor) = hear(&listener);
    assert_eq!(
        told,
        json!({ "ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": pid,
            "metadata": "of the test", "state": state })
    );

    go.write_all(b"x").unwrap();
    let mut child: Child = spawning.join().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", folder.path().display()).unwrap();
    // A child of the process: a filter is inherited, and its listener is one.
    let call = answer_one(&descriptor);
    assert_ne!(call.pid as i32, pid);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // EXDEV, which is none of rmdir's own errors; and the folder is there.
    assert!(text.contains("answer:-18"), "{text}");
    assert!(socket.exists());
}

/// A process that ends before it is filtered is not waited for without end.
#[test]
fn a_process_that_ends_has_no_descriptor() {
    let handover = Handover::new().unwrap();
    let mut child = witness::command("cat");
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    let pidfd = open_pidfd(child.id() as i32);
    child.kill().unwrap();
    let error = handover.take(&pidfd).unwrap_err().to_string();
    assert!(error.contains("ended before"), "{error}");
    child.wait().unwrap();
}

#[test]
fn no_agent_is_an_error_that_names_the_path() {
    let folder = witness::Folder::new();
    let socket = folder.join("nobody");
    let profile = notify(&socket);
    let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let error = send(&profile, &null, "1.3.0", 1, &json!({})).unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("nobody") && text.contains("ENOENT")
            || text.contains("No such file"),
        "{text}"
    );
}
