//! A terminal that somebody else reads.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixListener;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::json;
use witness::within;

use crate::Bundle;

/// Takes what one sender sends: the descriptor, and the word with it.
fn take(listener: &UnixListener) -> (File, String) {
    let (socket, _) = within("a sender", || listener.accept()).expect("one");
    let mut bytes = [0; 64];
    let mut rights = nix::cmsg_space!([i32; 1]);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let socket = socket.as_raw_fd();
    let message = recvmsg::<()>(socket, &mut parts, Some(&mut rights), flags);
    let message = message.expect("receive it");
    let length = message.bytes;
    let found = message.cmsgs().expect("read it").next();
    let Some(ControlMessageOwned::ScmRights(fds)) = found else {
        panic!("there is no descriptor in it");
    };
    // SAFETY: the kernel has just made it for us, and nobody else has it.
    let file = unsafe { File::from_raw_fd(fds[0]) };
    (file, String::from_utf8_lossy(&bytes[..length]).into_owned())
}

/// Reads until this text has come.
fn expect(terminal: &mut File, text: &str) {
    let mut all = String::new();
    within(&format!("{text:?} on the terminal"), || {
        let mut bytes = [0; 256];
        while !all.contains(text) {
            let length = terminal.read(&mut bytes).expect("read it");
            all += &String::from_utf8_lossy(&bytes[..length]);
        }
    });
}

#[test]
fn the_master_is_sent_and_the_shell_has_the_slave() {
    let script = "stty size; ls -l /dev/console; tty; exec sh";
    let it = Bundle::new(
        script,
        &[
            ("process/terminal", json!(true)),
            ("process/consoleSize", json!({ "height": 31, "width": 97 })),
        ],
    );
    let path = it.folder.join("socket");
    let listener = UnixListener::bind(&path).expect("listen");
    it.create(&["--console-socket", &path.display().to_string()]);
    let (mut master, word) = take(&listener);
    assert_eq!(word, "/dev/ptmx");
    it.good(&["start", &it.id]);
    expect(&mut master, "31 97");
    master.write_all(b"echo $((6 * 7))\n").expect("type it");
    expect(&mut master, "42");
    // And one more, in the same container.
    let socket = path.display().to_string();
    it.exec_detached(&["--tty", "--console-socket", &socket], &["tty"]);
    let (mut other, _) = take(&listener);
    expect(&mut other, "/dev/pts/1");
}

#[test]
fn a_terminal_that_nobody_would_read_is_an_error() {
    let it = Bundle::new("tty", &[("process/terminal", json!(true))]);
    let report = it.try_create(&[]);
    assert!(report.stderr.contains("console socket"), "{}", report.stderr);
    let path = it.folder.join("socket").display().to_string();
    let report = it.try_create(&["--console-socket", &path]);
    assert!(report.stderr.contains("no such file"), "{}", report.stderr);
    it.change(&[("process/terminal", json!(false))]);
    let _listener = UnixListener::bind(&path).expect("listen");
    let report = it.try_create(&["--console-socket", &path]);
    assert_eq!(report.status, 1);
    it.is_gone();
}
