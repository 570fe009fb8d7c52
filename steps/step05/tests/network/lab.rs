//! The laboratory: a machine of the test's own, as far as the network goes.
//!
//! ```text
//!   container           the test's machine             outside
//!   eth0 ------------- box…     uplink --------------- eth0
//!   10.77.x.y               198.51.100.1       198.51.100.2, 203.0.113.9
//! ```
//!
//! A network namespace is all that is needed for a machine: it has its own
//! interfaces, routes, rules, claims and forwarding switches. The test's
//! thread is in it, and so is whatever the test starts.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use witness::{Covers, Machine, Running, eventually};

/// The machine's address on the side of the world.
pub const MACHINE: &str = "198.51.100.1";
/// A server's address in the world, behind the next router.
pub const SERVER: &str = "203.0.113.9";

/// A machine with a way out. Dropping it checks that it is as it was.
pub struct Lab {
    _machine: Machine,
    outside: File,
    _inside: Inside,
    /// The machine's files, as far as the test changes them.
    pub files: Covers,
    _turn: MutexGuard<'static, ()>,
}

/// One at a time: whatever a test starts holds the sockets of all others open
/// for a moment, between fork(2) and execve(2).
static TURN: Mutex<()> = Mutex::new(());

impl Lab {
    /// Goes into a machine that has an uplink, and a default route by way of
    /// it.
    pub fn new() -> Lab {
        Lab::with_routes(&["default via 198.51.100.2"])
    }

    /// The same with these routes.
    pub fn with_routes(routes: &[&str]) -> Lab {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let files = Covers::new();
        let inside = Inside::new();
        let outside = thread::scope(|scope| {
            scope.spawn(new_namespace).join().expect("make an outside")
        });
        plug_in(&outside);
        for route in routes {
            ip(&format!("route add {route}"));
        }
        let machine = Machine::new();
        Lab { _machine: machine, outside, _inside: inside, files, _turn: turn }
    }

    /// Does something in the world outside.
    pub fn outside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.outside, work)
    }

    /// A server outside. (A socket stays in the network that it was made in.)
    pub fn server_outside(&self) -> TcpListener {
        self.outside(|| server(SERVER))
    }
}

/// A /run with nothing in it, until this is dropped: for who asks what is left
/// there. Only a [`Lab`] has mounts of its own.
pub struct OwnRun;

impl OwnRun {
    pub fn new(_: &Lab) -> OwnRun {
        program("mount", "-t tmpfs tmpfs /run");
        OwnRun
    }
}

impl Drop for OwnRun {
    fn drop(&mut self) {
        program("umount", "/run");
    }
}

/// The cable between this machine and the outside, with an address at each
/// end.
fn plug_in(outside: &File) {
    // A new namespace may inherit the real machine's switches.
    set_forwarding("all", false);
    ip("link set lo up");
    ip("link add uplink type veth peer name eth0");
    let (pid, fd) = (std::process::id(), outside.as_raw_fd());
    ip(&format!("link set eth0 netns /proc/{pid}/fd/{fd}"));
    ip("address add 198.51.100.1/24 dev uplink");
    ip("link set uplink up");
    within(outside, || {
        ip("link set lo up");
        ip("link set eth0 up");
        ip("address add 198.51.100.2/24 dev eth0");
        ip("address add 203.0.113.9/32 dev lo");
    });
}

/// The calling thread, in a network namespace of its own until this is
/// dropped.
struct Inside {
    machines: File,
}

impl Inside {
    fn new() -> Inside {
        let machines = this_network();
        new_namespace();
        Inside { machines }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let back = setns(&self.machines, CloneFlags::CLONE_NEWNET);
        back.expect("go back to the machine's network");
    }
}

fn new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("a test needs root");
    this_network()
}

fn this_network() -> File {
    File::open("/proc/thread-self/ns/net").expect("open this network")
}

/// The network that a process is in.
pub fn network_of(pid: i32) -> File {
    File::open(format!("/proc/{pid}/ns/net")).expect("open its network")
}

/// Does something in another network.
pub fn within<T: Send>(network: &File, work: impl FnOnce() -> T + Send) -> T {
    let work = || {
        setns(network, CloneFlags::CLONE_NEWNET).expect("enter a network");
        work()
    };
    thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs `ip`.
pub fn ip(arguments: &str) -> String {
    program("ip", arguments)
}

/// Runs `nft`.
pub fn nft(arguments: &str) -> String {
    program("nft", arguments)
}

/// Runs a program that has to succeed, and returns what it printed.
pub fn program(name: &str, arguments: &str) -> String {
    let mut program = witness::command(name);
    let output = program.args(arguments.split_whitespace()).output();
    let output = output.unwrap_or_else(|e| panic!("start {name}: {e}"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} {arguments}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The interfaces that a process has, as the kernel lists them.
pub fn interfaces(pid: impl std::fmt::Display) -> Vec<String> {
    let path = format!("/proc/{pid}/net/dev");
    let text = fs::read_to_string(&path).expect(&path);
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// The address in 10.77.0.0/16 that a process has: a leaf of the routing
/// trie, with what it is on the line below.
pub fn address(process: &Running) -> Ipv4Addr {
    let trie = process.read("net/fib_trie");
    let lines: Vec<&str> = trie.lines().map(str::trim).collect();
    let is_own = |pair: &&[&str]| {
        pair[0].starts_with("|-- 10.77.") && pair[1] == "/32 host LOCAL"
    };
    let leaf = lines.windows(2).find(is_own).expect("an address");
    leaf[0].trim_start_matches("|-- ").parse().expect("an IPv4 address")
}

/// The other address of its cable: the machine's, one below.
pub fn gateway(process: &Running) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(address(process)) - 1)
}

/// Does this interface hand on what is not for the machine?
pub fn is_forwarding(interface: &str) -> bool {
    let value = fs::read_to_string(switch(interface)).expect("a switch");
    value.trim() == "1"
}

/// Sets that, as an administrator does.
pub fn set_forwarding(interface: &str, on: bool) {
    let value = if on { "1" } else { "0" };
    fs::write(switch(interface), value).expect("set a switch");
}

fn switch(interface: &str) -> String {
    format!("/proc/sys/net/ipv4/conf/{interface}/forwarding")
}

/// A server on a free port of this address, in the calling thread's network.
pub fn server(address: &str) -> TcpListener {
    let server = TcpListener::bind((address, 0)).expect("listen");
    server.set_nonblocking(true).expect("do not wait for ever");
    server
}

/// The port that a server has got.
pub fn port(server: &TcpListener) -> u16 {
    server.local_addr().expect("an address").port()
}

/// Waits for the next client of a server.
pub fn accept(server: &TcpListener) -> TcpStream {
    let mut client = None;
    eventually("a client", || {
        client = server.accept().ok();
        client.is_some()
    });
    let (client, _) = client.expect("a client");
    client.set_nonblocking(false).expect("wait for the client");
    client
}
