//! Parts of the kernel that no namespace, or a whole machine, has.

use std::fs;

use nix::errno::Errno;
use nix::sys::inotify::{InitFlags, Inotify};
use witness::Machine;

use crate::{
    ALL_POWERS, Answer, IDENTITY, NO_FILTER, UNGUARDED, done, inside, outside,
};

/// Opens a socket that sees or makes whole packets, `raw` or `packet`, or one
/// that no kernel has, by its family, type or protocol.
pub fn socket(kind: &str) -> Answer {
    let (stream, raw) = (libc::SOCK_STREAM, libc::SOCK_RAW);
    let (family, kind, protocol) = match kind {
        "raw" => (libc::AF_INET, raw, libc::IPPROTO_ICMP),
        "family" => (63, raw, 0),
        "type" => (libc::AF_INET, 9, 0),
        "protocol" => (libc::AF_INET, stream, 77),
        "protocol6" => (libc::AF_INET6, stream, 77),
        "netlink" => (libc::AF_NETLINK, raw, 31),
        _ => (libc::AF_PACKET, raw, 0),
    };
    // By its own number: a C library for i686 asks by socketcall(2), in whose
    // arguments no filter can look (chapter step08 says so).
    // SAFETY: socket(2) takes three numbers. The descriptor ends with us.
    let answer =
        unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) };
    Errno::result(answer)?;
    done()
}

/// Gets a descriptor by which this program handles its own page faults: those
/// of the `user` mode only, or those `all` that happen in the kernel as well,
/// which can hold the kernel up in the middle of a copy (userfaultfd(2)).
pub fn userfaultfd(faults: &str) -> Answer {
    const UFFD_USER_MODE_ONLY: i32 = 1;
    let flags = if faults == "user" { UFFD_USER_MODE_ONLY } else { 0 };
    // SAFETY: userfaultfd(2) takes one number. The descriptor ends with us.
    Errno::result(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) })?;
    done()
}

/// Loads an empty file as a module: ENOEXEC means that the kernel was willing
/// to load one.
pub fn load_module(_: &str) -> Answer {
    // SAFETY: an empty buffer is not read, and the string ends with 0.
    let answer = unsafe {
        libc::syscall(libc::SYS_init_module, c"".as_ptr(), 0, c"".as_ptr())
    };
    Errno::result(answer)?;
    done()
}

#[test]
fn whole_packets_take_net_raw() {
    let _machine = Machine::new();
    let attempts = ["socket raw", "socket packet"];
    let dropped = ["--cap-drop", "net_raw"];
    let free = [&UNGUARDED[..], &["--network", "host"]].concat();
    for (flags, answer) in [
        // The guard: no CAP_NET_RAW (packet(7), raw(7)).
        (&dropped[..], "EPERM"),
        // The control, on a network of the container's own.
        (&[], "done"),
        // Behind it: the machine's network belongs to the machine's user
        // namespace, and what root inside has, counts for nothing there.
        (&["--network", "host"], "EPERM"),
        (&free, "EPERM"),
    ] {
        assert_eq!(inside(flags, &attempts), [answer; 2], "{flags:?}");
    }
    assert_eq!(outside(&attempts), ["done"; 2], "the control");
}

#[test]
fn a_socket_that_programs_do_not_open_is_not_asked_for() {
    let _machine = Machine::new();
    // The guard: the filter. The kernel would look for a module first, to
    // which the machine never had a reason, and has no such thing then.
    for (what, free) in [
        ("socket family", "EAFNOSUPPORT"),
        ("socket type", "ESOCKTNOSUPPORT"),
        ("socket protocol", "EPROTONOSUPPORT"),
        ("socket netlink", "EPROTONOSUPPORT"),
    ] {
        assert_eq!(inside(&[], &[what]), ["EPERM"], "{what}");
        assert_eq!(inside(&ALL_POWERS, &[what]), ["EPERM"], "{what}");
        assert_eq!(inside(&NO_FILTER, &[what]), [free], "the control");
    }
    // The same on IPv6, which a kernel may lack.
    assert_eq!(inside(&[], &["socket protocol6"]), ["EPERM"]);
    assert_ne!(inside(&NO_FILTER, &["socket protocol6"]), ["EPERM"]);
}

/// Opens inotify instances until the kernel gives no more, a thousand at most.
pub fn use_up_inotify(_: &str) -> Answer {
    let mut all = Vec::new();
    while all.len() < 1000 {
        match Inotify::init(InitFlags::IN_CLOEXEC) {
            Ok(instance) => all.push(instance),
            Err(Errno::EMFILE) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(all.len().to_string())
}

/// They are counted for the maker of the user namespace: root, whose they all
/// are together.
#[test]
fn one_container_cannot_have_all_inotify_instances() {
    let _machine = Machine::new();
    let file = "/proc/sys/fs/inotify/max_user_instances";
    let whole = fs::read_to_string(file).expect("the limit");
    let whole: u32 = whole.trim().parse().expect("a number");
    let flags = ["--rlimit", "nofile=1024"];
    let part: u32 =
        inside(&flags, &["use-up-inotify"])[0].parse().expect("a number");
    assert_eq!(part, whole / 8);
    // The control: who is in no user namespace of its own, can have them all.
    let all: u32 = outside(&["use-up-inotify"])[0].parse().expect("a number");
    assert!(all > part, "{all}");
}

#[test]
fn page_faults_are_the_kernels() {
    let _machine = Machine::new();
    let attempts = ["userfaultfd user", "userfaultfd all"];
    // The guard: the filter. The kernel alone would allow the `user` mode,
    // which cannot hold it up.
    assert_eq!(inside(&[], &attempts), ["EPERM", "EPERM"]);
    assert_eq!(inside(&ALL_POWERS, &attempts), ["EPERM", "EPERM"]);
    // Behind it: /proc/sys/vm/unprivileged_userfaultfd is 0, as it comes. Then
    // it takes CAP_SYS_PTRACE on the machine.
    let setting = fs::read_to_string("/proc/sys/vm/unprivileged_userfaultfd");
    let all = match setting.expect("the setting").trim() {
        "0" => "EPERM",
        _ => "done",
    };
    assert_eq!(inside(&NO_FILTER, &attempts), ["done", all]);
    assert_eq!(inside(&UNGUARDED, &attempts), ["done", all]);
    assert_eq!(outside(&attempts), ["done", "done"], "the control");
}

#[test]
fn the_filter_refuses_modules() {
    let _machine = Machine::new();
    assert_eq!(inside(&[], &["load-module"]), ["EPERM"]);
    assert_eq!(inside(&ALL_POWERS, &["load-module"]), ["EPERM"]);
    // The control: another answer without the filter, or none of this name.
    let free = outside(&["load-module"]).remove(0);
    assert!(["ENOEXEC", "ENOSYS"].contains(&free.as_str()), "{free}");
}

#[test]
#[ignore = "needs a kernel with modules: scripts/test runs it in the VM"]
fn behind_the_filter_modules_take_power_over_the_machine() {
    let _machine = Machine::new();
    // The guards: CAP_SYS_MODULE, which is not among the default ones; and the
    // user namespace, since it has to be the machine's (init_module(2)).
    for flags in [
        &NO_FILTER[..],
        &[&NO_FILTER[..], &["--cap-add", "sys_module"]].concat(),
        &[&NO_FILTER[..], &ALL_POWERS, &IDENTITY].concat(),
    ] {
        assert_eq!(inside(flags, &["load-module"]), ["EPERM"], "{flags:?}");
    }
    assert_eq!(outside(&["load-module"]), ["ENOEXEC"], "the control");
}
