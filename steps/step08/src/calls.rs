//! The policy: which system calls are allowed. `seccomp.rs` is the mechanism.
//!
//! It is an allow-list, made after Docker's default profile: everything that
//! shells, package managers, language runtimes, databases and network servers
//! call is allowed, and what nobody thought of is not. Lists are by name, for
//! all architectures at once; a name that one of them lacks (`open` on aarch64)
//! simply has no number there.
//!
//! Each call of `arch.rs`'s table stands in exactly one of [`ALLOWED`],
//! [`CHECKED`], [`ABSENT`] and [`REFUSED`]: a test sees to it, so that none is
//! refused only because it was forgotten. Only the first three make the
//! filter.
//!
//! The filter is one handcuff of several, and need not repeat the others:
//! `chroot`, `mknod` or `sethostname` are allowed, because namespaces and
//! capabilities already decide what they can reach.

use crate::arch::{self, Arch};
use std::collections::HashMap;

/// Allowed whatever the arguments. One entry for each theme.
pub const ALLOWED: &[&str] = &[
    // Reading and writing descriptors: what every program does all day.
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 \
     lseek _llseek close close_range dup dup2 dup3 fcntl fcntl64 flock fsync \
     fdatasync sync syncfs sync_file_range fallocate fadvise64 fadvise64_64 \
     readahead copy_file_range sendfile sendfile64 splice tee vmsplice pipe \
     pipe2 cachestat",
    // Opening, naming and removing files. The mount namespace decides which
    // files there are; `openat2` can only narrow a lookup.
    "open openat openat2 creat access faccessat faccessat2 truncate \
     truncate64 ftruncate ftruncate64 \
     mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat unlink \
     unlinkat rename renameat renameat2 readlink readlinkat getdents \
     getdents64 chdir fchdir getcwd chroot umask",
    // Looking at files and changing their owner, mode, times and attributes:
    // dpkg and tar restore all of these.
    "stat stat64 fstat fstat64 lstat lstat64 newfstatat fstatat64 statx \
     statfs statfs64 fstatfs fstatfs64 chmod fchmod fchmodat fchmodat2 chown \
     chown32 fchown fchown32 lchown lchown32 fchownat utime utimes futimesat \
     utimensat utimensat_time64 \
     setxattr lsetxattr fsetxattr setxattrat getxattr lgetxattr fgetxattr \
     getxattrat listxattr llistxattr flistxattr listxattrat removexattr \
     lremovexattr fremovexattr removexattrat file_getattr file_setattr \
     name_to_handle_at inotify_init inotify_init1 inotify_add_watch \
     inotify_rm_watch",
    // Memory. The placement of pages on NUMA nodes is for databases; the
    // cgroup's cpuset still bounds it.
    "brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 \
     munlock mlockall munlockall remap_file_pages memfd_create memfd_secret \
     membarrier pkey_alloc pkey_free pkey_mprotect map_shadow_stack mseal \
     get_mempolicy set_mempolicy set_mempolicy_home_node mbind",
    // Processes. `clone` stands below, for it can also make namespaces.
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid \
     getppid gettid set_tid_address getpgid getpgrp setpgid getsid setsid \
     kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease prctl \
     arch_prctl modify_ldt set_thread_area get_thread_area restart_syscall \
     rseq rseq_slice_yield getrlimit ugetrlimit setrlimit prlimit64 getrusage \
     times",
    // Debuggers and `strace`, which can only name processes of their own PID
    // namespace. Before 4.8 a tracer could change the call after the filter
    // had passed it (seccomp(2), NOTES); since then Docker allows these too.
    // The kernel plants the last two itself, where the host sets a probe.
    "ptrace process_vm_readv process_vm_writev uretprobe uprobe",
    // Threads: locks and the scheduler.
    "futex futex_time64 futex_wait futex_wake futex_waitv futex_requeue \
     set_robust_list get_robust_list sched_yield sched_getaffinity \
     sched_setaffinity sched_getparam sched_setparam sched_getscheduler \
     sched_setscheduler sched_getattr sched_setattr sched_get_priority_max \
     sched_get_priority_min sched_rr_get_interval \
     sched_rr_get_interval_time64 getpriority setpriority nice ioprio_get \
     ioprio_set getcpu",
    // Signals.
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait \
     rt_sigtimedwait_time64 signal sigaction sigprocmask sigreturn sigpending \
     sigsuspend rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack \
     signalfd signalfd4 pause alarm",
    // Waiting for many descriptors at once. The old asynchronous I/O is for
    // MySQL and nginx.
    "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 \
     epoll_create epoll_create1 epoll_ctl \
     epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 io_setup \
     io_destroy io_submit io_cancel io_getevents io_pgetevents \
     io_pgetevents_time64",
    // Reading clocks, sleeping, timers. Setting clocks is refused below.
    "time gettimeofday clock_gettime clock_gettime64 clock_getres \
     clock_getres_time64 clock_nanosleep clock_nanosleep_time64 nanosleep \
     getitimer setitimer timer_create timer_settime timer_settime64 \
     timer_gettime timer_gettime64 timer_getoverrun timer_delete \
     timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime \
     timerfd_gettime64",
    // The network: the network namespace decides what it reaches. `socket`
    // and `socketpair` stand below.
    "bind listen accept accept4 connect shutdown getsockname \
     getpeername setsockopt getsockopt sendto recvfrom sendmsg recvmsg \
     sendmmsg recvmmsg recvmmsg_time64",
    // i386 has one call for all of the network, socketcall(2): which of them
    // is meant comes first, and the rest lies in memory, where no filter can
    // read. So what stands below on the families of sockets holds there for
    // socket(2) only, which i386 has since Linux 4.3. To refuse this one was
    // tried, in Docker 29.4.2, and taken back: most programs know no other,
    // for glibc makes its sockets with it unless it was built for no kernel
    // that is older than that. What can tell the families apart behind a
    // pointer is AppArmor or SELinux (step10), which the kernel asks when it
    // has read them.
    "socketcall",
    // System V and POSIX queues, semaphores, shared memory: the IPC
    // namespace (step09) decides whose. `ipc` is all of the first on i386; as
    // none of them is refused, it need not be told which is meant.
    "shmget shmat shmctl shmdt semget semop semtimedop semtimedop_time64 \
     semctl msgget msgsnd msgrcv msgctl ipc mq_open mq_unlink mq_timedsend \
     mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify \
     mq_getsetattr",
    // Users and groups. apt drops to the user _apt, so the setters are needed;
    // the user namespace decides what the numbers are worth outside.
    "getuid geteuid getgid getegid getresuid getresgid getgroups setuid \
     setgid setreuid setregid setresuid setresgid setfsuid setfsgid \
     setgroups capget capset",
    // The same on i386, where those above take numbers of 16 bits: a container
    // of step06 would find its users beyond them.
    "getuid32 geteuid32 getgid32 getegid32 getresuid32 getresgid32 \
     getgroups32 setuid32 setgid32 setreuid32 setregid32 setresuid32 \
     setresgid32 setfsuid32 setfsgid32 setgroups32",
    // About the system; hostname and domain are the UTS namespace's.
    "uname sysinfo getrandom sethostname setdomainname",
    // Putting on more handcuffs: a process may always restrict itself.
    "seccomp landlock_create_ruleset landlock_add_rule \
     landlock_restrict_self lsm_get_self_attr lsm_set_self_attr \
     lsm_list_modules",
];

/// Allowed or not, depending on the arguments. Where a call stands in several
/// rows, one that fits is enough; in a row all arguments must fit. (A profile
/// of Docker's is read in the same way.)
pub const CHECKED: &[Check] = &[
    // clone(2) makes processes, threads *and* namespaces. Its flags come
    // first on x86_64, aarch64 and i386 (not on all: clone(2), NOTES).
    Check { call: "clone", arguments: &[(0, Rule::NoBitOf(CLONE_NEW))] },
    // socket(2): family, type, protocol. For most of the forty families, of
    // the types and of the protocols the machine would load a module that
    // nobody there has asked for; vsock(7) talks to the hypervisor, past every
    // network namespace; AF_ALG reaches the kernel's ciphers
    // (CVE-2026-31431). Left are those that programs speak: of local sockets
    // and whole packets all that there is,
    Check {
        call: "socket",
        arguments: &[(0, Rule::OneOf(&[AF_UNIX, AF_PACKET]))],
    },
    // of both IPs what is not SCTP, DCCP, L2TP …,
    Check {
        call: "socket",
        arguments: &[
            (0, Rule::OneOf(&[AF_INET, AF_INET6])),
            (1, Rule::NoBitOf(RARE_TYPES)),
            (2, Rule::OneOf(IP_PROTOCOLS)),
        ],
    },
    // and of netlink what needs no module.
    Check {
        call: "socket",
        arguments: &[
            (0, Rule::OneOf(&[AF_NETLINK])),
            (2, Rule::OneOf(NETLINK_PROTOCOLS)),
        ],
    },
    // Only local ones come in pairs; the kernel finds out about others after
    // it has made two, and loaded what these take.
    Check { call: "socketpair", arguments: &[(0, Rule::OneOf(&[AF_UNIX]))] },
    // Both put characters into a terminal's input as if they had been typed:
    // into the shell that started us (ioctl_tty(2), TIOCSTI).
    Check {
        call: "ioctl",
        arguments: &[(1, Rule::NoneOf(&[TIOCSTI, TIOCLINUX]))],
    },
    // personality(2) can also switch address randomisation off. What is
    // left: plain Linux, 32-bit `uname`, a 2.6 version, and asking.
    Check {
        call: "personality",
        arguments: &[(
            0,
            Rule::OneOf(&[
                PER_LINUX,
                PER_LINUX32,
                UNAME26,
                UNAME26 | PER_LINUX32,
                QUERY,
            ]),
        )],
    },
];

/// Answered as if this kernel did not have them.
///
/// clone3(2) keeps its flags in memory, where a filter cannot read: it can
/// only be refused whole. ENOSYS makes a C library fall back to clone(2),
/// whose flags are in a register; EPERM would end every thread creation.
pub const ABSENT: &str = "clone3";

/// Known and left out: the default answer, EPERM. This list is for the reader
/// and for the test; the filter does not contain it.
pub const REFUSED: &[&str] = &[
    // New views: mounts and namespaces, and walking into others'. Root in a
    // user namespace may make these calls, and reaches much kernel code
    // through them.
    "mount umount umount2 pivot_root open_tree open_tree_attr move_mount \
     fsopen fsconfig fsmount fspick mount_setattr statmount listmount unshare \
     setns listns",
    // The machine itself: its kernel, modules, swap, accounting, quotas, log.
    "reboot kexec_load kexec_file_load init_module finit_module \
     delete_module swapon swapoff acct quotactl quotactl_fd syslog vhangup \
     iopl ioperm",
    // The clock, which all share; adjtimex cannot be allowed for reading
    // alone, as what it does stands behind a pointer.
    "stime settimeofday clock_settime clock_settime64 adjtimex \
     clock_adjtime clock_adjtime64",
    // Keys are kept per user, not per namespace (keyrings(7)).
    "add_key request_key keyctl",
    // Large and young parts of the kernel, with a history of holes. io_uring
    // also makes calls on behalf of a process that no filter gets to see.
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter \
     io_uring_register fanotify_init fanotify_mark",
    // Opens files by number, past every directory: the way out of Docker
    // that became known as "shocker".
    "open_by_handle_at",
    // Reaching into other processes further than ptrace's users need.
    "pidfd_getfd process_madvise kcmp move_pages migrate_pages",
    // Relics: removed, replaced or never implemented.
    "uselib ustat sysfs _sysctl nfsservctl lookup_dcookie getpmsg putpmsg \
     afs_syscall tuxcall security vserver epoll_ctl_old epoll_wait_old \
     create_module get_kernel_syms query_module",
    // And those of i386. `vm86` runs programs for 16 bits.
    "oldstat oldfstat oldlstat olduname oldolduname readdir sgetmask ssetmask \
     stty gtty ftime prof profil lock mpx ulimit idle break bdflush vm86 \
     vm86old",
];

/// All namespace flags of clone(2). CLONE_NEWTIME (0x80) is not one: its bit
/// lies in the byte that holds the exit signal, so only clone3 can take it.
const CLONE_NEW: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

const TIOCSTI: u32 = libc::TIOCSTI as u32;
const TIOCLINUX: u32 = libc::TIOCLINUX as u32;
// The libc crate lacks these for some C libraries; linux/socket.h and
// linux/personality.h give them the same value on every architecture.
const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const AF_NETLINK: u32 = 16;
const AF_PACKET: u32 = 17;
/// Of a socket's type the low four bits are a number, and the rest two flags
/// (socket(2)). 1 to 3 are SOCK_STREAM, SOCK_DGRAM and SOCK_RAW; from 4 on it
/// is SOCK_SEQPACKET, which is SCTP's with the IPs, SOCK_DCCP and older ones.
const RARE_TYPES: u32 = 0b1100;
/// The standard one of the type, ICMP, TCP, UDP, ICMPv6, "raw", MPTCP
/// (linux/in.h). The raw ones take CAP_NET_RAW as well.
const IP_PROTOCOLS: &[u32] = &[0, 1, 6, 17, 58, 255, 262];
/// NETLINK_ROUTE: interfaces, addresses, routes. NETLINK_AUDIT: useradd and su
/// ask whether there is an audit, hear that it is not theirs, and go on; on
/// EPERM already here they give up. NETLINK_KOBJECT_UEVENT: libudev's. The
/// others load modules themselves, some by the name in a message
/// (NETLINK_GENERIC, NETLINK_SOCK_DIAG), or lead to code with a history:
/// NETLINK_NETFILTER to nf_tables (CVE-2024-1086). netlink(7) has them all.
const NETLINK_PROTOCOLS: &[u32] = &[0, 9, 15];
const PER_LINUX: u32 = 0;
const PER_LINUX32: u32 = 8;
const UNAME26: u32 = 0x2_0000;
const QUERY: u32 = 0xffff_ffff;

/// How the disassembler writes the values above: index of the argument, value,
/// name.
pub const VALUE_NAMES: &[(usize, u32, &str)] = &[
    (0, CLONE_NEW, "CLONE_NEW*"),
    (0, AF_UNIX, "AF_UNIX"),
    (0, AF_INET, "AF_INET"),
    (0, AF_INET6, "AF_INET6"),
    (0, AF_NETLINK, "AF_NETLINK"),
    (0, AF_PACKET, "AF_PACKET"),
    (0, PER_LINUX, "PER_LINUX"),
    (0, PER_LINUX32, "PER_LINUX32"),
    (0, UNAME26, "UNAME26"),
    (0, UNAME26 | PER_LINUX32, "UNAME26|PER_LINUX32"),
    (0, QUERY, "0xffffffff (asks)"),
    (1, RARE_TYPES, "SOCK_SEQPACKET and above"),
    (1, TIOCSTI, "TIOCSTI"),
    (1, TIOCLINUX, "TIOCLINUX"),
    (2, 0, "IPPROTO_IP/NETLINK_ROUTE"),
    (2, 1, "IPPROTO_ICMP"),
    (2, 6, "IPPROTO_TCP"),
    (2, 17, "IPPROTO_UDP"),
    (2, 58, "IPPROTO_ICMPV6"),
    (2, 255, "IPPROTO_RAW"),
    (2, 262, "IPPROTO_MPTCP"),
    (2, 9, "NETLINK_AUDIT"),
    (2, 15, "NETLINK_KOBJECT_UEVENT"),
];

/// Lets a call pass by the low 32 bits of some of its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The call's name.
    pub call: &'static str,
    /// Which arguments, counted from 0, and what each must or must not be.
    pub arguments: &'static [(usize, Rule)],
}

/// When an argument lets the call pass.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// None of these bits is set.
    NoBitOf(u32),
    /// It is none of these values.
    NoneOf(&'static [u32]),
    /// It is one of these values.
    OneOf(&'static [u32]),
}

/// The policy in one architecture's numbers.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Allowed numbers, as ranges from first to last, ascending.
    pub ranges: Vec<(u32, u32)>,
    /// Numbers that are allowed by arguments, each with its rows.
    pub checked: Vec<(u32, &'static [Check])>,
    /// Numbers that get ENOSYS.
    pub absent: Vec<u32>,
    /// Numbers above this one get ENOSYS.
    pub newest: u32,
}

impl Default for Calls {
    /// The lists of this file, in the numbers of this machine.
    fn default() -> Self {
        Calls::of(Arch::NATIVE)
    }
}

impl Calls {
    /// The lists of this file, in the numbers of `arch`.
    pub fn of(arch: Arch) -> Self {
        // A map, because searching the table for each of 350 names takes
        // longer (1 ms) than all the namespaces together.
        let table: HashMap<&str, u32> = arch.calls().iter().copied().collect();
        // A name without a number is a call that this architecture lacks.
        let number = |name| table.get(name).copied();
        let allowed = ALLOWED.iter().flat_map(|it| it.split_whitespace());
        let checked = CHECKED
            .chunk_by(|one, next| one.call == next.call)
            .filter_map(|rows| Some((number(rows[0].call)?, rows)));
        Calls {
            ranges: ranges(allowed.filter_map(number)),
            checked: checked.collect(),
            absent: number(ABSENT).into_iter().collect(),
            newest: arch::newest(),
        }
    }
}

/// Sorts numbers and merges neighbours: 0, 2, 1, 4 becomes 0–2, 4–4. Gaps
/// are never bridged, not even where the kernel has no call today.
fn ranges(numbers: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut sorted: Vec<u32> = numbers.collect();
    sorted.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in sorted {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<&'static str> {
        let rows = CHECKED.chunk_by(|one, next| one.call == next.call);
        let checked = rows.map(|rows| rows[0].call);
        let lists = ALLOWED.iter().chain(REFUSED).chain([&ABSENT]);
        lists.flat_map(|list| list.split_whitespace()).chain(checked).collect()
    }

    #[test]
    fn every_known_call_is_decided_on_once() {
        let listed = listed();
        for (name, _) in Arch::ALL.into_iter().flat_map(Arch::calls) {
            let times = listed.iter().filter(|call| *call == name).count();
            assert_eq!(times, 1, "{name} stands in {times} lists");
        }
    }

    #[test]
    fn no_name_is_misspelt() {
        let known: Vec<_> = Arch::ALL.map(Arch::calls).concat();
        for name in listed() {
            assert!(
                known.iter().any(|call| call.0 == name),
                "{name} is in no architecture's table"
            );
        }
    }

    #[test]
    fn neighbours_merge_and_gaps_stay() {
        let merged = ranges([7, 0, 2, 1, 4, 8].into_iter());
        assert_eq!(merged, [(0, 2), (4, 4), (7, 8)]);
        assert_eq!(ranges([].into_iter()), []);
    }
}
