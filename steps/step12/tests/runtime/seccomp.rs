//! Filters: which calls the runtime itself still needs under one, and the
//! agent of SCMP_ACT_NOTIFY.

use std::collections::BTreeSet;
use std::io::{IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};

use libc::{seccomp_notif, seccomp_notif_resp};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};

use super::Bundle;

nix::ioctl_readwrite!(receive, b'!', 0, seccomp_notif);
nix::ioctl_readwrite!(respond, b'!', 1, seccomp_notif_resp);

/// Let the kernel go on with it: linux/seccomp.h,
/// SECCOMP_USER_NOTIF_FLAG_CONTINUE.
const CONTINUE: u32 = 1;

const PRIVATE: &str = "process/noNewPrivileges";

fn refusing(names: &[&str]) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 99 }] })
}

/// What no shell needs, and a runtime might.
const RUNTIMES: [&str; 14] = [
    "sendmsg",
    "recvmsg",
    "sendto",
    "recvfrom",
    "mount",
    "umount2",
    "open_tree",
    "move_mount",
    "mount_setattr",
    "pivot_root",
    "unshare",
    "setns",
    "pidfd_open",
    "pidfd_getfd",
];

/// With no_new_privs the filter is put on last of all.
const LAST: [&str; 9] = [
    "prctl",
    "capset",
    "setgroups",
    "setresuid",
    "setresgid",
    "fchdir",
    "openat2",
    "chroot",
    "close_range",
];

#[test]
fn the_runtime_needs_nothing_that_programs_do_not() {
    let script = "grep Seccomp: /proc/self/status; unshare -m true 2>&1";
    for is_private in [true, false] {
        let last = if is_private { &LAST[..] } else { &[] };
        let names = [&RUNTIMES[..], last].concat();
        let changes = [
            ("linux/seccomp", refusing(&names)),
            (PRIVATE, json!(is_private)),
        ];
        let bundle = Bundle::new(script, &changes);
        let report = bundle.run_it();
        let said = report.stdout.replace('\t', " ");
        assert!(said.contains("Seccomp: 2"), "{said}{}", report.stderr);
        // EADDRNOTAVAIL, which unshare(2) has from nobody else.
        assert!(said.contains("requested address"), "{said}");
    }
}

/// Control: it is said where what is refused is needed.
#[test]
fn a_program_that_cannot_be_executed_is_told_of() {
    for is_private in [true, false] {
        let changes = [
            ("linux/seccomp", refusing(&["execve"])),
            (PRIVATE, json!(is_private)),
        ];
        let bundle = Bundle::new("true", &changes);
        let report = bundle.run_it();
        assert_ne!(report.status, 0);
        let words = report.stderr.to_lowercase();
        assert!(words.contains("assign requested address"), "{words}");
    }
}

/// The agent: accepts one connection, and answers until the last of those
/// who are filtered has ended. mkdir fails with EXDEV; all else goes on.
struct Agent {
    told: Value,
    /// How many calls it was asked about.
    asked: BTreeSet<i32>,
}

fn agent(socket: &Path) -> JoinHandle<Agent> {
    let listener = UnixListener::bind(socket).expect("listen");
    thread::spawn(move || {
        let (told, descriptor) = hear(&listener);
        let mut asked = BTreeSet::new();
        while is_asked(&descriptor) {
            asked.extend(answer(&descriptor));
        }
        Agent { told, asked }
    })
}

fn hear(listener: &UnixListener) -> (Value, OwnedFd) {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut text = vec![0; 1 << 16];
    let mut space = nix::cmsg_space!([i32; 2]);
    let mut parts = [IoSliceMut::new(&mut text)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let socket = stream.as_raw_fd();
    let message =
        recvmsg::<()>(socket, &mut parts, Some(&mut space), flags).unwrap();
    let control = message.cmsgs().unwrap().next();
    let Some(ControlMessageOwned::ScmRights(all)) = control else {
        panic!("{control:?}")
    };
    assert_eq!(all.len(), 1);
    // SAFETY: it came with the message, and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(all[0]) };
    let length = message.bytes;
    text.truncate(length);
    // The connection ends with the state: one for each.
    stream.read_to_end(&mut text).unwrap();
    (serde_json::from_slice(&text).expect("JSON"), descriptor)
}

/// False when nobody is left who could ask.
fn is_asked(descriptor: &OwnedFd) -> bool {
    let mut ready = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    poll(&mut ready, PollTimeout::NONE).expect("wait for a call");
    let events = ready[0].revents().unwrap_or(PollFlags::empty());
    events.contains(PollFlags::POLLIN)
}

/// The call's number, unless the one who asked is gone already.
fn answer(descriptor: &OwnedFd) -> Option<i32> {
    // SAFETY: zeros are what the kernel wants to find in it.
    let mut call: seccomp_notif = unsafe { std::mem::zeroed() };
    let number = descriptor.as_raw_fd();
    // SAFETY: both structures have the kernel's layout (seccomp_unotify(2)),
    // and outlive the calls.
    unsafe {
        receive(number, &raw mut call).ok()?;
        // aarch64 has no mkdir.
        let mkdir = step08::arch::number("mkdir").map(|it| it as i32);
        let is_mkdir = call.data.nr == libc::SYS_mkdirat as i32
            || Some(call.data.nr) == mkdir;
        let (error, flags) =
            if is_mkdir { (-libc::EXDEV, 0) } else { (0, CONTINUE) };
        let mut response =
            seccomp_notif_resp { id: call.id, val: 0, error, flags };
        respond(number, &raw mut response).ok()?;
    }
    Some(call.data.nr)
}

fn notifying(socket: &Path, names: &[&str]) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket,
        "listenerMetadata": "of the test", "syscalls": [
            { "names": names, "action": "SCMP_ACT_NOTIFY" }] })
}

/// Everything may wait for the agent but `write`, by which it is found.
#[test]
fn an_agent_answers_from_the_first_call_on() {
    let names = [
        "mkdir",
        "mkdirat",
        "sendmsg",
        "recvmsg",
        "sendto",
        "recvfrom",
        "read",
        "close",
        "prctl",
        "poll",
        "ppoll",
        "rt_sigaction",
        "capset",
        "setresuid",
        "newfstatat",
        "faccessat",
        "execve",
    ];
    for is_private in [true, false] {
        let script = "mkdir /tmp/x 2>&1; echo over";
        let bundle = Bundle::new(script, &[(PRIVATE, json!(is_private))]);
        let socket = bundle.folder.join("agent");
        bundle.change(&[("linux/seccomp", notifying(&socket, &names))]);
        let agent = agent(&socket);
        bundle.create(&[]);
        let pid = bundle.pid();
        bundle.good(&["start", &bundle.id]);
        bundle.says("over");
        // EXDEV.
        bundle.says("cross-device");
        let agent = agent.join().expect("the agent");
        bundle.becomes("stopped");
        let told = agent.told;
        assert_eq!(told["fds"], json!(["seccompFd"]));
        assert_eq!(told["pid"], pid);
        assert_eq!(told["metadata"], "of the test");
        assert_eq!(told["state"]["id"], bundle.id);
        assert_eq!(told["state"]["status"], "creating");
        assert_eq!(told["state"]["pid"], pid);
        assert_eq!(told["ociVersion"], "1.3.0");
        let execve = libc::SYS_execve as i32;
        assert!(agent.asked.contains(&execve), "{:?}", agent.asked);
        bundle.good(&["delete", &bundle.id]);
    }
}

/// `exec` has a filter, and so a connection, of its own.
#[test]
fn a_second_process_has_its_own_descriptor() {
    let bundle = Bundle::new("sleep 600", &[]);
    let socket = bundle.folder.join("agent");
    let profile = notifying(&socket, &["mkdir", "mkdirat"]);
    bundle.change(&[("linux/seccomp", profile)]);
    let listener = UnixListener::bind(&socket).expect("listen");
    bundle.create(&[]);
    let (first, _descriptor) = hear(&listener);
    bundle.good(&["start", &bundle.id]);
    bundle.exec_detached(&[], &["sh", "-c", "mkdir /tmp/y; sleep 600"]);
    let (second, descriptor) = hear(&listener);
    assert_eq!(first["state"]["status"], "creating");
    assert_eq!(second["state"]["status"], "running");
    assert_eq!(second["state"]["pid"], first["pid"], "the container's");
    assert_ne!(second["pid"], first["pid"], "its own");
    assert!(is_asked(&descriptor));
    assert!(answer(&descriptor).is_some());
    bundle.good(&["kill", "--all", &bundle.id, "9"]);
    bundle.becomes("stopped");
    bundle.good(&["delete", &bundle.id]);
}

#[test]
fn without_an_agent_nothing_is_made() {
    let bundle = Bundle::new("true", &[]);
    let socket = bundle.folder.join("nobody");
    let profile = notifying(&socket, &["mkdir"]);
    bundle.change(&[("linux/seccomp", profile)]);
    let report = bundle.try_create(&[]);
    assert_eq!(report.status, 1);
    let words = report.stderr;
    assert!(words.contains("nobody: no such file"), "{words}");
    assert!(bundle.bad(&["state", &bundle.id]).contains("does not exist"));
}
