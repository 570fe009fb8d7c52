//! A kernel without nf_tables, imitated by a filter: socket(2) gives the
//! answer that such a kernel gives.

use std::thread;

use libc::{c_ulong, sock_filter, sock_fprog};
use witness::{Report, run};

use crate::STEP05;
use crate::lab::Lab;

#[test]
fn a_kernel_without_nftables_is_named_as_the_reason() {
    if cfg!(target_arch = "x86") {
        println!("skipped: socketcall(2) has the family in memory");
        return;
    }
    let _lab = Lab::new();
    let report = run(STEP05, &["-q", "true"]);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);

    let report = run_without_nftables(&["-q", "true"]);
    assert_eq!(report.status, 125, "{}", report.stderr);
    for words in ["masquerade", "nf_tables", "not supported", "modprobe"] {
        assert!(report.stderr.contains(words), "{}", report.stderr);
    }
    // What is recommended works.
    let flags = ["--network", "none", "true"];
    let report = run_without_nftables(&flags);
    assert_eq!(report.status, 0, "{}", report.stderr);
}

/// The filter stays on the thread that has put it on, and on all that it
/// starts.
fn run_without_nftables(arguments: &[&str]) -> Report {
    let filtered = || {
        forbid_netfilter_sockets();
        run(STEP05, arguments)
    };
    thread::scope(|scope| scope.spawn(filtered).join().expect("run it"))
}

/// socket(AF_NETLINK, _, NETLINK_NETFILTER) answers EPROTONOSUPPORT.
fn forbid_netfilter_sockets() {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let line = |code, jf, k| sock_filter { code, jt: 0, jf, k };
    // Where struct seccomp_data has the number and two arguments.
    let (call, family, protocol) = (0, 16, 32);
    let answer = libc::SECCOMP_RET_ERRNO | libc::EPROTONOSUPPORT as u32;
    let mut lines = [
        line(LOAD, 0, call),
        line(EQUAL, 5, libc::SYS_socket as u32),
        line(LOAD, 0, family),
        line(EQUAL, 3, libc::AF_NETLINK as u32),
        line(LOAD, 0, protocol),
        line(EQUAL, 1, libc::NETLINK_NETFILTER as u32),
        line(RETURN, 0, answer),
        line(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter =
        sock_fprog { len: lines.len() as u16, filter: lines.as_mut_ptr() };
    let mode = libc::SECCOMP_MODE_FILTER as c_ulong;
    // SAFETY: both point to what lives until the call returns, and the length
    // is that of the array.
    let answer = unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter, 0, 0)
    };
    assert_eq!(answer, 0, "put a filter on: a test needs root");
}
