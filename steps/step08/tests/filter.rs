//! Is the filter what it claims to be? Twice: by running the program in a BPF
//! machine of our own over every number there is, and by asking the kernel.
//!
//! The first is complete, but could misread the kernel's rules; the second
//! cannot, but can only try so many calls. Each has its negative control: a
//! sabotaged program must be caught, and a call must answer differently when
//! no filter stands in its way.

mod foreign;
mod machine;

use libc::{c_long, sock_filter};
use machine::{Said, run, skipped, trace};
use std::collections::HashSet;
use step08::bpf::{AT_LEAST, EQUAL, LOAD, RETURN, is_jump};
use step08::calls::{self, Calls};
use step08::{arch, seccomp};

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn default_program() -> Vec<sock_filter> {
    seccomp::program(&Calls::default())
}

fn number(name: &str) -> u32 {
    arch::number(name).unwrap_or_else(|| panic!("no call {name} here"))
}

// ---------------------------------------------------------------------------
// The program in a machine of our own
// ---------------------------------------------------------------------------

impl Said {
    fn new(nr: u32) -> Self {
        // Arguments that every check lets pass: personality 0, ioctl 0, no
        // clone flag, and AF_UNIX.
        let is_socket = ["socket", "socketpair"].map(number).contains(&nr);
        let args = [u64::from(is_socket), 0, 0, 0, 0, 0];
        Said { nr, arch: arch::AUDIT_ARCH, args }
    }

    fn with(name: &str, index: usize, value: u64) -> Self {
        Said::new(number(name)).and(index, value)
    }
}

/// What the policy says about `nr` with harmless arguments, straight from the
/// lists of names: the ranges, and how they are made, are not consulted.
fn expected(nr: u32) -> u32 {
    let listed = |list: &str| {
        list.split_whitespace().any(|name| arch::number(name) == Some(nr))
    };
    let checked = |it: &calls::Check| arch::number(it.call) == Some(nr);
    if calls::ALLOWED.iter().any(|theme| listed(theme))
        || calls::CHECKED.iter().any(checked)
    {
        ALLOW
    } else if listed(calls::ABSENT) || nr > 471 {
        ENOSYS
    } else {
        EPERM
    }
}

/// Every call worth trying, and the answer it must get.
fn questions() -> Vec<(Said, u32)> {
    let mut all: Vec<(Said, u32)> =
        (0..600).map(|nr| (Said::new(nr), expected(nr))).collect();
    all.push((Said::new(5000), ENOSYS));
    all.extend(foreign());
    all.extend(x32());
    all.extend(arguments());
    all.extend(sockets());
    all
}

/// Numbers of the others, of arm and of architectures that do not exist.
fn foreign() -> Vec<(Said, u32)> {
    let own = arch::AUDIT_ARCH;
    // x86_64, aarch64, i386, arm.
    let known = [0xC000_003E, 0xC000_00B7, 0x4000_0003, 0x4000_0028];
    let others = known.into_iter().chain([0, own ^ 1, own + 1, own - 1]);
    let said = |arch, nr| (Said { arch, ..Said::new(nr) }, KILL);
    others
        .filter(|arch| *arch != own)
        .flat_map(|arch| (0..600).step_by(7).map(move |nr| said(arch, nr)))
        .collect()
}

/// Numbers with x32's bit, and the number next below it.
fn x32() -> Vec<(Said, u32)> {
    let answer = if arch::X32_BIT.is_some() { EPERM } else { ENOSYS };
    let said = |nr: u32| (Said::new(0x4000_0000 + nr), answer);
    let mut all: Vec<_> = (0..600).step_by(7).map(said).collect();
    all.push((Said::new(u32::MAX), answer));
    all.push((Said::new(0x3fff_ffff), ENOSYS));
    all
}

fn arguments() -> Vec<(Said, u32)> {
    let mut all = Vec::new();
    let mut ask = |name, index, value: u32, answer| {
        // The kernel takes an int, so the upper half must not matter.
        for upper in [0, 1 << 32, u64::from(u32::MAX) << 32] {
            let said = Said::with(name, index, u64::from(value) | upper);
            all.push((said, answer));
        }
    };
    let thread = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;
    let child = libc::CLONE_CHILD_SETTID | libc::SIGCHLD;
    for harmless in [thread, child, libc::SIGCHLD, 0x80] {
        ask("clone", 0, harmless as u32, ALLOW);
        for bit in [17, 25, 26, 27, 28, 29, 30] {
            ask("clone", 0, harmless as u32 | 1 << bit, EPERM);
        }
    }
    // All bits but the seven of namespaces: no other may be refused.
    ask("clone", 0, !0x7e02_0000, ALLOW);
    for family in 0..64 {
        let answer = if family == 1 { ALLOW } else { EPERM };
        ask("socketpair", 0, family, answer);
    }
    for request in 0x5400..0x5440 {
        let injects = [0x5412, 0x541C].contains(&request);
        ask("ioctl", 1, request, if injects { EPERM } else { ALLOW });
    }
    for persona in [0, 8, 0x2_0000, 0x2_0008, u32::MAX] {
        ask("personality", 0, persona, ALLOW);
    }
    for persona in [1, 7, 9, 0x1_ffff, 0x2_0001, 0x2_0007, 0x2_0009] {
        ask("personality", 0, persona, EPERM);
    }
    ask("personality", 0, 0x4_0000, EPERM); // ADDR_NO_RANDOMIZE
    ask("personality", 0, u32::MAX - 1, EPERM);
    all
}

/// What socket(2) must get, by its three arguments.
fn socket_answer(family: u32, kind: u32, protocol: u32) -> u32 {
    // The type's upper bits are flags.
    let kind = kind & 0xf;
    let is_allowed = match family {
        // UNIX, PACKET.
        1 | 17 => true,
        // INET, INET6: STREAM, DGRAM, RAW (and 0, which is none).
        2 | 10 => kind < 4 && [0, 1, 6, 17, 58, 255, 262].contains(&protocol),
        // NETLINK: ROUTE, AUDIT, KOBJECT_UEVENT.
        16 => [0, 9, 15].contains(&protocol),
        _ => false,
    };
    if is_allowed { ALLOW } else { EPERM }
}

/// Every family and type, and what there is of protocols, with nonsense in the
/// upper halves: all three are an int, and the kernel does not see it.
fn sockets() -> Vec<(Said, u32)> {
    let mut all = Vec::new();
    let mut ask = |family: u32, kind: u32, protocol: u32| {
        for upper in [0, 1 << 32, u64::from(u32::MAX) << 32] {
            let wide = |it: u32| u64::from(it) | upper;
            let said = Said::with("socket", 0, wide(family));
            let said = said.and(1, wide(kind)).and(2, wide(protocol));
            all.push((said, socket_answer(family, kind, protocol)));
        }
    };
    let flags = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u32;
    for family in 0..64 {
        for kind in (0..16).flat_map(|kind| [kind, kind | flags]) {
            ask(family, kind, 0);
        }
    }
    for family in [1, 2, 3, 10, 16, 17] {
        for protocol in (0..300).chain([u32::MAX, 1 << 31]) {
            ask(family, 2, protocol);
        }
    }
    all
}

/// The questions that `program` answers wrongly.
fn faults(program: &[sock_filter], questions: &[(Said, u32)]) -> Vec<String> {
    questions
        .iter()
        .filter(|(said, answer)| run(program, said) != Some(*answer))
        .map(|(said, answer)| format!("{said:x?} must get {answer:#x}"))
        .collect()
}

#[test]
fn every_number_gets_the_answer_of_the_policy() {
    let faults = faults(&default_program(), &questions());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn newest_is_what_this_test_takes_it_for() {
    assert_eq!(arch::newest(), 471);
}

/// The negative control, by name: the mistakes that real filters had.
#[test]
fn the_famous_mistakes_are_caught() {
    let questions = questions();
    let caught = |what: &str, program: Vec<sock_filter>| {
        assert!(!faults(&program, &questions).is_empty(), "unseen: {what}");
    };
    let find = |program: &[sock_filter], code, k| {
        let wanted = |it: &sock_filter| it.code == code && it.k == k;
        program.iter().position(wanted).expect("no such instruction")
    };

    let mut program = default_program();
    let at = find(&program, EQUAL, arch::AUDIT_ARCH);
    program[at].jf = program[at].jt;
    caught("no architecture check", program);

    let mut program = default_program();
    let at = find(&program, EQUAL, number("clone3"));
    program[at].jt = (program.len() - 1 - at - 1) as u8;
    caught("clone3 allowed", program);

    if let Some(bit) = arch::X32_BIT {
        let mut program = default_program();
        let at = find(&program, AT_LEAST, bit);
        program[at].jt = 0;
        caught("no x32 check", program);
    }

    let mut policy = Calls::default();
    // One whose neighbour is refused, and not looked at more closely.
    let checked: Vec<u32> = policy.checked.iter().map(|it| it.0).collect();
    let range = policy.ranges.iter_mut();
    let range = range.rev().find(|(_, last)| !checked.contains(&(last + 1)));
    range.expect("such a range").1 += 1;
    caught("a range too long", seccomp::program(&policy));

    let mut policy = Calls::default();
    policy.checked.retain(|(_, rows)| rows[0].call != "clone");
    policy.ranges.push((number("clone"), number("clone")));
    policy.ranges.sort_unstable();
    caught("clone allowed whatever its flags", seccomp::program(&policy));

    // A socket of which only the family is looked at, as long as it was so
    // here: SCTP's module is loaded.
    static FAMILY: [calls::Check; 1] = [calls::Check {
        call: "socket",
        arguments: &[(0, calls::Rule::OneOf(&[1, 2, 10, 16, 17]))],
    }];
    let mut policy = Calls::default();
    for (_, rows) in &mut policy.checked {
        if rows[0].call == "socket" {
            *rows = &FAMILY;
        }
    }
    let program = seccomp::program(&policy);
    for (kind, protocol) in [(1, 132), (6, 0), (6, 33), (2, 115)] {
        let said = Said::with("socket", 0, 2).and(1, kind).and(2, protocol);
        assert_eq!(run(&program, &said), Some(ALLOW), "the control");
        assert_eq!(run(&default_program(), &said), Some(EPERM));
    }
    caught("any protocol of a family", program);
}

/// The negative control, complete: whichever single constant is off by one,
/// whichever jump has its two ways exchanged, it is seen.
#[test]
fn no_instruction_can_be_changed_unseen() {
    let changes: [fn(&mut sock_filter); 3] = [
        |it| it.k = it.k.wrapping_add(if it.code == LOAD { 4 } else { 1 }),
        |it| it.k = it.k.wrapping_sub(if it.code == LOAD { 4 } else { 1 }),
        |it| std::mem::swap(&mut it.jt, &mut it.jf),
    ];
    let questions = questions();
    let program = default_program();
    for here in 0..program.len() {
        for (kind, change) in changes.iter().enumerate() {
            let mut changed = program.clone();
            change(&mut changed[here]);
            assert!(
                !makes_a_difference(
                    &program,
                    here,
                    &changed[here],
                    &questions
                ) || !faults(&changed, &questions).is_empty(),
                "no question notices change {kind} of instruction {here}"
            );
        }
    }
}

/// Whether instruction `here`, replaced, would ever do something else. The
/// border of a range may move across a call that was decided on further up,
/// such as `ioctl`: no run brings its number there.
fn makes_a_difference(
    program: &[sock_filter],
    here: usize,
    changed: &sock_filter,
    questions: &[(Said, u32)],
) -> bool {
    let original = &program[here];
    if !is_jump(original.code) {
        // A load from outside the 64 bytes is not accepted in any case.
        let inside = original.code == RETURN || changed.k <= 60;
        return inside && changed.k != original.k;
    }
    let mut differs = false;
    for (said, _) in questions {
        trace(program, said, |at, a| {
            differs |=
                at == here && skipped(original, a) != skipped(changed, a)
        });
    }
    differs
}

/// The filter in numbers, so that a change of its size is a decision.
#[test]
fn the_program_stays_within_reach_of_its_jumps() {
    let policy = Calls::default();
    let program = seccomp::program(&policy);
    // i686 has the most: calls for times of 32 bits and of 64.
    assert!(program.len() < 200, "{} instructions", program.len());
    let numbers: HashSet<u32> =
        policy.ranges.iter().flat_map(|&(a, b)| a..=b).collect();
    assert!(numbers.len() > 200 && policy.ranges.len() < 80);
}

// ---------------------------------------------------------------------------
// The program in the kernel
// ---------------------------------------------------------------------------

/// The kernel's answer comes from a child: a filter cannot be taken off again.
/// The child is this very test binary, told by a variable what to try.
mod kernel {
    use super::*;
    use nix::errno::Errno;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Output, Stdio};

    const PROBE: &str = "STEP08_PROBE";

    /// `command` under `program`, put on between fork and exec.
    fn under(program: &[sock_filter], mut command: Command) -> Command {
        let program = program.to_vec();
        let put_on = move || seccomp::install(&program).map_err(as_io_error);
        // SAFETY: the closure runs in a forked child, where another thread may
        // have held malloc's lock: it makes one system call on memory that was
        // allocated before, and allocates only to report its own failure.
        unsafe { command.pre_exec(put_on) };
        command
    }

    fn as_io_error(error: anyhow::Error) -> io::Error {
        let errno = error.downcast_ref::<Errno>().copied();
        io::Error::from_raw_os_error(errno.unwrap_or(Errno::EIO) as i32)
    }

    /// A command that runs the test `child` below, which tries `what`.
    fn probe(what: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kernel::child", "--nocapture"]);
        command.env(PROBE, what);
        command
    }

    /// The number after `answer:` in what the child printed.
    fn answer(mut command: Command) -> c_long {
        let output: Output = command.output().expect("run the child");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split("answer:").nth(1).and_then(|rest| {
            rest.split_whitespace().next().and_then(|it| it.parse().ok())
        });
        number.unwrap_or_else(|| panic!("{} {text}", output.status))
    }

    /// A call with arguments that do no harm where no filter stops it: null
    /// pointers, bad descriptors, flags that do not exist.
    struct Try {
        name: &'static str,
        args: [c_long; 4],
        /// What it fails with under the filter.
        errno: i32,
    }

    const fn refused(name: &'static str, args: [c_long; 4]) -> Try {
        Try { name, args, errno: libc::EPERM }
    }

    const TIOCSTI: c_long = libc::TIOCSTI as c_long;
    const NEWUSER: c_long = libc::CLONE_NEWUSER as c_long;
    /// Refused by the kernel together with NEWUSER: no process is made.
    const FS: c_long = libc::CLONE_FS as c_long;

    const TRIES: &[Try] = &[
        refused("mount", [0; 4]),
        refused("umount2", [0, -1, 0, 0]),
        refused("pivot_root", [0; 4]),
        refused("move_mount", [-1, 0, -1, 0]),
        refused("unshare", [NEWUSER, 0, 0, 0]),
        refused("setns", [-1, 0, 0, 0]),
        refused("clone", [NEWUSER | FS, 0, 0, 0]),
        refused("reboot", [0; 4]),
        refused("kexec_load", [0, 0, 0, -1]),
        refused("init_module", [0; 4]),
        refused("bpf", [-1, 0, 0, 0]),
        refused("perf_event_open", [0; 4]),
        refused("keyctl", [-1, 0, 0, 0]),
        refused("userfaultfd", [-1, 0, 0, 0]),
        refused("open_by_handle_at", [-1, 0, 0, 0]),
        refused("personality", [0x4_0000, 0, 0, 0]),
        refused("socket", [40, 99, 0, 0]),
        refused("socket", [38, 99, 0, 0]),
        refused("socketpair", [40, 99, 0, 0]),
        refused("ioctl", [-1, TIOCSTI, 0, 0]),
        // The kernel sees TIOCSTI here as well: the upper half is ignored.
        #[cfg(target_pointer_width = "64")]
        refused("ioctl", [-1, TIOCSTI | 1 << 32, 0, 0]),
        Try { name: "clone3", args: [0; 4], errno: libc::ENOSYS },
    ];

    /// Not a test of its own: what the other tests run under the filter.
    #[test]
    fn child() {
        let Ok(what) = std::env::var(PROBE) else { return };
        let answer = match what.as_str() {
            "threads" => threads(),
            "int80" => super::foreign::getpid(),
            "socketcall" => super::foreign::socketcall(38, 5, 0),
            what => {
                let said: Vec<c_long> = what
                    .split(',')
                    .map(|number| number.parse().unwrap())
                    .collect();
                raw(said[0], [said[1], said[2], said[3], said[4]])
            }
        };
        println!("answer:{answer}");
    }

    /// What the kernel returns: a negative errno where the call failed.
    fn raw(number: c_long, args: [c_long; 4]) -> c_long {
        let [a, b, c, d] = args;
        // SAFETY: only called with the arguments of `TRIES` and below, which
        // the kernel refuses or which need no memory: null instead of every
        // pointer, and no flag that would make a second process.
        let result = unsafe { libc::syscall(number, a, b, c, d, 0, 0) };
        if result == -1 { -(Errno::last_raw() as c_long) } else { result }
    }

    fn threads() -> c_long {
        let one = |number| std::thread::spawn(move || number);
        let all: Vec<_> = (1..=8).map(one).collect();
        all.into_iter().map(|it| it.join().unwrap()).sum()
    }

    fn words(number: c_long, args: [c_long; 4]) -> String {
        let [a, b, c, d] = args;
        format!("{number},{a},{b},{c},{d}")
    }

    #[test]
    fn what_must_not_be_said_fails() {
        let program = default_program();
        for Try { name, args, errno } in TRIES {
            let what = words(number(name) as c_long, *args);
            let blocked = answer(under(&program, probe(&what)));
            assert_eq!(blocked, -c_long::from(*errno), "{name} {args:?}");
            let free = answer(probe(&what));
            assert_ne!(
                free, blocked,
                "{name} {args:?} fails so without the filter: is this \
                 process root, and under no filter of its own?"
            );
        }
    }

    #[test]
    fn what_must_be_said_succeeds() {
        let program = default_program();
        let what = words(libc::SYS_getpid, [0; 4]);
        assert!(answer(under(&program, probe(&what))) > 0);
        assert_eq!(answer(under(&program, probe("threads"))), 36);

        // Sockets: local, TCP, UDP, ping's, netlink's three, whole packets.
        let close = c_long::from(libc::SOCK_CLOEXEC);
        for [family, kind, protocol] in [
            [1, 1, 0],
            [2, 1 | close, 6],
            [2, 2, 0],
            [2, 3, 1],
            [10, 2, 17],
            [16, 3 | close, 0],
            [16, 3, 9],
            [16, 2, 15],
            [17, 3, 0x300],
        ] {
            let what = words(libc::SYS_socket, [family, kind, protocol, 0]);
            let filtered = answer(under(&program, probe(&what)));
            // A kernel without IPv6 says so in both cases.
            let free = answer(probe(&what));
            assert_eq!(filtered.min(0), free.min(0), "{what}");
            assert!(free > 0 || family == 10, "{what}: {free}");
        }

        let mut shell = witness::command("sh");
        shell.args(["-c", "echo one | cat && ls / >/dev/null && exec id -u"]);
        let output = under(&program, shell).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.starts_with(b"one\n"), "{output:?}");

        // Control: where even `brk` is refused, nothing starts.
        let nothing = Calls { ranges: vec![], ..Calls::default() };
        let mut shell = under(&seccomp::program(&nothing), probe("threads"));
        assert!(!shell.output().is_ok_and(|it| it.status.success()));
    }

    #[test]
    fn a_number_of_the_future_is_absent_and_not_forbidden() {
        let what = words(5000, [0; 4]);
        let absent = answer(under(&default_program(), probe(&what)));
        assert_eq!(absent, -c_long::from(libc::ENOSYS));
        // Without a filter the answer is ENOSYS as well; so the control is a
        // filter that takes every number for a known one.
        let boastful = Calls { newest: 1 << 29, ..Calls::default() };
        let program = seccomp::program(&boastful);
        let refused = answer(under(&program, probe(&what)));
        assert_eq!(refused, -c_long::from(libc::EPERM));
    }

    /// What calls.rs says of socketcall(2): the family is not seen. Docker's
    /// filter and its 29.4.2 are the two ways to decide on it.
    #[test]
    #[cfg(target_arch = "x86")]
    fn a_family_behind_a_pointer_is_not_seen() {
        let program = default_program();
        let socket = |what: &str| {
            let filtered = answer(under(&program, probe(what)));
            (filtered, answer(probe(what)))
        };
        // AF_ALG, by its own call: refused, and not without the filter.
        let alg = words(libc::SYS_socket, [38, 5, 0, 0]);
        let (filtered, free) = socket(&alg);
        assert_eq!(filtered, -c_long::from(libc::EPERM));
        assert_ne!(free, filtered);
        // The same through the old call: the kernel's own answer.
        let (filtered, free) = socket("socketcall");
        assert_eq!(filtered.min(0), free.min(0));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn an_x32_number_is_refused() {
        let what = words(0x4000_0000 + libc::SYS_getpid, [0; 4]);
        let refused = answer(under(&default_program(), probe(&what)));
        assert_eq!(refused, -c_long::from(libc::EPERM));
        let free = answer(probe(&what));
        assert!(free > 0 || free == -c_long::from(libc::ENOSYS), "{free}");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_call_of_another_architecture_kills() {
        use std::os::unix::process::ExitStatusExt;

        let mut command = under(&default_program(), probe("int80"));
        let status = command.output().unwrap().status;
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");

        // Control. A kernel without 32-bit support answers the interrupt with
        // SIGSEGV: another death, so that SIGSYS above was the filter's.
        let output = probe("int80").output().unwrap();
        let free = output.status;
        assert!(
            free.success() || free.signal() == Some(libc::SIGSEGV),
            "{output:?}"
        );
    }

    fn status_of(child: &Child, field: &str) -> u32 {
        let path = format!("/proc/{}/status", child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// From outside, as the ledger sees it (proc_pid_status(5)).
    #[test]
    fn proc_tells_of_the_filter() {
        let waiting = || {
            let mut cat = witness::command("cat");
            cat.stdin(Stdio::piped()).stdout(Stdio::null());
            cat
        };
        let mut free = waiting().spawn().unwrap();
        let mut filtered =
            under(&default_program(), waiting()).spawn().unwrap();
        let filters = |child| status_of(child, "Seccomp_filters:");
        let more = filters(&filtered) - filters(&free);
        let mode = status_of(&filtered, "Seccomp:");
        for child in [&mut free, &mut filtered] {
            drop(child.stdin.take());
            assert!(child.wait().unwrap().success());
        }
        assert_eq!((mode, more), (2, 1));
    }

    /// The kernel's rule: CAP_SYS_ADMIN or no_new_privs, else EACCES.
    #[test]
    fn without_privilege_the_filter_is_not_taken() {
        let mut nobody = witness::command("true");
        nobody.uid(65534).gid(65534);
        let error = under(&default_program(), nobody).spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
        // Control: the same command as root.
        let mut root = under(&default_program(), witness::command("true"));
        assert!(root.status().unwrap().success());
    }
}
