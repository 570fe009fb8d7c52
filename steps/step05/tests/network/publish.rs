//! Published ports: the way in.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use witness::{Running, eventually, process, run, start};

use crate::STEP05;
use crate::lab::{
    Lab, MACHINE, accept, gateway, network_of, set_forwarding, within,
};

/// A container whose server on port 80 runs `command` for each client.
fn serving(flags: &[&str], command: &str) -> Running {
    let script = format!("nc -ll -p 80 -e {command} &");
    let process = start(STEP05, &[&["-q"], flags].concat(), &script);
    eventually("a server inside", || has(&process, 80, LISTENING));
    process
}

/// States of a socket, as in proc_pid_net(5).
const LISTENING: &str = "0A";
const CONNECTED: &str = "01";
/// FIN_WAIT2: the other side has confirmed all, and the end as well.
const SAID_ALL: &str = "05";

/// Is there a socket in this state at a port inside? (Ports are hexadecimal.)
fn has(process: &Running, port: u16, state: &str) -> bool {
    let port = format!(":{port:04X}");
    let sockets = process.read("net/tcp") + &process.read("net/tcp6");
    sockets.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[1].ends_with(&port) && fields[3] == state
    })
}

fn client(address: &str, port: u16) -> TcpStream {
    let client = TcpStream::connect((address, port)).expect("connect");
    client.set_read_timeout(Some(witness::patience())).expect("not for ever");
    client
}

/// Says this and no more, and returns the answer.
fn ask(mut client: TcpStream, question: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    thread::scope(|scope| {
        let mut speaker = client.try_clone().expect("share a connection");
        scope.spawn(move || {
            speaker.write_all(question).expect("ask");
            speaker.shutdown(Shutdown::Write).expect("say no more");
        });
        client.read_to_end(&mut answer).expect("hear");
    });
    answer
}

#[test]
fn a_published_port_leads_inside_from_every_address() {
    let lab = Lab::new();
    let process = serving(&["--publish", "8080:80"], "cat");
    for address in ["127.0.0.1", MACHINE] {
        assert_eq!(ask(client(address, 8080), b"hello"), b"hello");
    }
    let answer = lab.outside(|| ask(client(MACHINE, 8080), b"hello"));
    assert_eq!(answer, b"hello", "from outside");
    // The control: a port that was not published leads nowhere.
    let error = TcpStream::connect((MACHINE, 80)).expect_err("connected");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    process.end();
    // Nor does that one any more.
    TcpStream::connect((MACHINE, 8080)).expect_err("still published");
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answer() {
    let _lab = Lab::new();
    // wc answers only when it has heard the end.
    let process = serving(&["--publish", "8080:80"], "wc -c");
    let answer = ask(client("127.0.0.1", 8080), b"twelve bytes");
    assert_eq!(String::from_utf8_lossy(&answer).trim(), "12");
    process.end();
}

#[test]
fn a_million_bytes_go_both_ways_unchanged() {
    let _lab = Lab::new();
    let process = serving(&["--publish", "8080:80"], "cat");
    let bytes: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();
    assert_eq!(bytes.len(), 1 << 20);
    let answer = ask(client("127.0.0.1", 8080), &bytes);
    assert!(answer == bytes, "{} other bytes came back", answer.len());
    process.end();
}

#[test]
fn fifty_clients_at_once_each_get_their_own_answer() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q", "--publish", "8080:80"], "");
    // busybox has no server with a queue for so many; this one is the test's
    // own, on a socket of the container's network.
    let server = network_of(process.pid);
    let server = within(&server, || TcpListener::bind(("0.0.0.0", 80)));
    let server = server.expect("listen inside");
    thread::scope(|scope| {
        let clients = (0..50).map(|_| client("127.0.0.1", 8080));
        let clients: Vec<_> = clients.collect();
        // Not before all are there.
        scope.spawn(|| (0..50).for_each(|_| repeat_to(accept(&server))));
        for (number, client) in clients.into_iter().enumerate() {
            let question = format!("I am number {number}");
            let answer = ask(client, question.as_bytes());
            assert_eq!(String::from_utf8_lossy(&answer), question);
        }
    });
    process.end();
}

/// Sends back to a client what it sends.
fn repeat_to(client: TcpStream) {
    thread::spawn(move || {
        let (mut hear, mut say) = (&client, &client);
        std::io::copy(&mut hear, &mut say).expect("repeat");
    });
}

/// The launcher is stopped while the server inside says all it has to say,
/// and ends. Nothing of that has reached the client when the launcher learns
/// that its container has ended.
#[test]
fn the_last_words_of_a_server_are_not_lost() {
    const LENGTH: usize = 40_000;
    let lab = Lab::new();
    // Both ends on the client's side hold little at a time.
    let little = "16384 16384 16384";
    let set = |what: &str| {
        let file = format!("/proc/sys/net/ipv4/{what}");
        std::fs::write(file, little).expect("make a buffer small");
    };
    set("tcp_wmem");
    lab.outside(|| set("tcp_rmem"));
    // So that the launcher has nothing to wait for when it ends.
    set_forwarding("uplink", true);
    let script = format!(
        "mkfifo /tmp/words; nc -l -p 80 -e cat /tmp/words & \
         read go; head -c {LENGTH} /dev/zero >/tmp/words; wait; read end; exit"
    );
    for _ in 0..3 {
        let flags = ["-q", "--publish", "8080:80"];
        let mut process = start(STEP05, &flags, &script);
        eventually("a server inside", || has(&process, 80, LISTENING));
        let mut client = lab.outside(|| client(MACHINE, 8080));
        eventually("a client inside", || has(&process, 80, CONNECTED));
        process.signal(Signal::SIGSTOP);
        process.say("go");
        // What is not with the launcher's kernel when the container's network
        // ends, is lost with that.
        eventually("all to be said", || has(&process, 80, SAID_ALL));
        process.say("end");
        eventually("the end", || process::is_gone(process.pid));
        process.signal(Signal::SIGCONT);
        let folder = format!("/proc/{}", process.pid);
        eventually("the launcher to see it", || !Path::new(&folder).exists());
        // A client that takes its time. A launcher that does not wait for it
        // is gone by then.
        thread::sleep(Duration::from_millis(100));
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("hear");
        assert_eq!(answer.len(), LENGTH);
        assert_eq!(process.wait().status, 0);
    }
    set_forwarding("uplink", false);
}

#[test]
fn a_client_that_says_nothing_does_not_keep_the_launcher() {
    let _lab = Lab::new();
    let process = serving(&["--publish", "8080:80"], "cat");
    let mut client = client("127.0.0.1", 8080);
    client.write_all(b"x").expect("say");
    client.read_exact(&mut [0]).expect("hear: it is connected");
    assert_eq!(process.end().status, 0);
    assert_eq!(client.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn nobody_listening_inside_closes_the_connection() {
    let _lab = Lab::new();
    let flags = ["-q", "--publish", "8080:80", "--publish", "8081:81"];
    let process = start(STEP05, &flags, "nc -ll -p 81 -e cat &");
    eventually("a server inside", || has(&process, 81, LISTENING));
    let mut nobody = client("127.0.0.1", 8080);
    // A read that timed out would be another error.
    match nobody.read(&mut [0]) {
        Ok(length) => assert_eq!(length, 0),
        Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
    }
    let answer = ask(client("127.0.0.1", 8081), b"the control");
    assert_eq!(answer, b"the control");
    process.end();
}

#[test]
fn a_port_in_use_is_an_error_and_nothing_is_made() {
    let lab = Lab::new();
    let other = TcpListener::bind(("0.0.0.0", 8080)).expect("listen");
    let report = run(STEP05, &["--publish", "8080:80", "echo", "ran"]);
    assert_eq!(report.status, 125, "{}", report.stderr);
    let error = "listen on the machine's port 8080: Address already in use";
    assert!(report.stderr.contains(error), "{}", report.stderr);
    assert_eq!(report.stdout, "", "the command was not to run");
    drop(other);
    let report = run(STEP05, &["--publish", "8080:80", "echo", "ran"]);
    assert_eq!(report.stdout, "ran\n", "the control: {}", report.stderr);
    drop(lab);
}

#[test]
fn a_port_can_be_published_once_only() {
    let _lab = Lab::new();
    let twice = ["-p", "8080:80", "-p", "8080:81", "true"];
    let report = run(STEP05, &twice);
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert!(report.stderr.contains("8080"), "{}", report.stderr);
    // The control: two ports for one server.
    let flags = ["-p", "8080:80", "-p", "8081:80"];
    let process = serving(&flags, "cat");
    for port in [8080, 8081] {
        assert_eq!(ask(client("127.0.0.1", port), b"hello"), b"hello");
    }
    process.end();
}

#[test]
fn a_port_needs_a_private_network() {
    let _lab = Lab::new();
    for (network, status) in [("none", 125), ("host", 125), ("private", 0)] {
        let flags = ["--network", network, "-p", "8080:80", "true"];
        let report = run(STEP05, &flags);
        assert_eq!(report.status, status, "{network}: {}", report.stderr);
        if status != 0 {
            let advice = "--network private";
            assert!(report.stderr.contains(advice), "{}", report.stderr);
        }
    }
}

#[test]
fn what_is_no_pair_of_ports_is_refused() {
    let _lab = Lab::new();
    for ports in ["80", "0:80", "80:0", "80:65536", "a:b", "1:2:3", ":80"] {
        let report = run(STEP05, &["--publish", ports, "true"]);
        assert_eq!(report.status, 2, "{ports}: {}", report.stderr);
        assert!(report.stderr.contains("HOST:INSIDE"), "{}", report.stderr);
    }
}

#[test]
fn a_port_is_published_at_one_address_if_that_is_asked_for() {
    let lab = Lab::new();
    let local = serving(&["--publish", "127.0.0.1:8080:80"], "cat");
    assert_eq!(ask(client("127.0.0.1", 8080), b"hello"), b"hello");
    TcpStream::connect((MACHINE, 8080)).expect_err("by another address");
    let neighbour = || TcpStream::connect((MACHINE, 8080)).is_ok();
    assert!(!lab.outside(neighbour), "from outside");
    // The control: the default is every address, also at the same port.
    local.end();
    let open = serving(&["--publish", "8080:80"], "cat");
    assert!(lab.outside(neighbour));
    open.end();

    for wrong in
        ["1:2/sctp", "1:2:3:4", "127.0.0.1:8080", "[::1]:1:2", "x:1:2", "1:0"]
    {
        let report = run(STEP05, &["-q", "--publish", wrong, "true"]);
        assert_eq!(report.status, 2, "{wrong}: {}", report.stderr);
    }
    let elsewhere = ["-q", "--publish", "192.0.2.1:8080:80", "true"];
    let report = run(STEP05, &elsewhere);
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert!(report.stderr.contains("192.0.2.1"), "{}", report.stderr);
}

#[test]
fn the_ledger_says_which_address_listens() {
    let _lab = Lab::new();
    let flags = ["--publish", "127.0.0.1:8080:80", "--publish", "8081:80"];
    let report = run(STEP05, &[&flags[..], &["true"]].concat());
    let line = "SEES   visitors  reached at the machine's 127.0.0.1:8080, \
                port 8081 by every address\n";
    assert!(report.stderr.contains(line), "{}", report.stderr);
    let report = run(STEP05, &["true"]);
    assert!(!report.stderr.contains("visitors"), "the control");
}

/// The launcher is outside of the container's limits: what comes in must not
/// cost it more and more.
#[test]
fn a_crowd_of_clients_costs_the_launcher_one_thread() {
    let _lab = Lab::new();
    let process = serving(&["--publish", "8080:80"], "cat");
    let status = |field| {
        let value = process::status(process.launcher(), field);
        value.expect(field).parse::<usize>().expect("a number")
    };
    let descriptors = || {
        let folder = format!("/proc/{}/fd", process.launcher());
        std::fs::read_dir(folder).expect("its descriptors").count()
    };
    let (threads, files) = (status("Threads"), descriptors());
    // One after the other, and each is answered before the next one comes: a
    // server that a crowd storms has the kernel drop some of it.
    let mut crowd: Vec<TcpStream> = Vec::new();
    for _ in 0..400 {
        let mut one = client("127.0.0.1", 8080);
        one.write_all(b"1").expect("ask");
        one.read_exact(&mut [0]).expect("hear");
        crowd.push(one);
    }
    let carried = descriptors();
    assert!(carried >= files + 800, "{files} before, {carried} now");
    // These are more than are carried at once.
    crowd.extend((0..5).map(|_| client("127.0.0.1", 8080)));
    assert_eq!(descriptors(), carried, "who has to wait costs nothing");
    assert_eq!(status("Threads"), threads);
    drop(crowd);
    eventually("all of the crowd have gone", || descriptors() == files);
    // The control: when they have gone, the next one is served.
    assert_eq!(ask(client("127.0.0.1", 8080), b"hello"), b"hello");
    process.end();
}

/// A server inside that says to each client where it hears it from. (A socket
/// stays in the network that it was made in.)
fn datagram_server(process: &Running) -> UdpSocket {
    let network = network_of(process.pid);
    let socket = within(&network, || UdpSocket::bind("0.0.0.0:53"));
    let socket = socket.expect("a socket inside");
    socket.set_read_timeout(Some(witness::patience())).expect("not for ever");
    socket
}

fn datagram_client(port: u16) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    client.connect(("127.0.0.1", port)).expect("an address");
    client.set_read_timeout(Some(witness::patience())).expect("not for ever");
    client
}

fn hear(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let length = socket.recv(&mut buffer).expect("hear");
    buffer.truncate(length);
    buffer
}

#[test]
fn datagrams_go_in_and_each_answer_goes_to_who_has_asked() {
    let _lab = Lab::new();
    let flags = ["--publish", "127.0.0.1:8053:53/udp"];
    let process = start(STEP05, &flags, "");
    let server = datagram_server(&process);
    let clients = [datagram_client(8053), datagram_client(8053)];
    // The largest datagram, and an empty one, which is one as well.
    let large = vec![b'x'; 65_507];
    for (client, question) in clients.iter().zip([&large[..], b""]) {
        client.send(question).expect("ask");
        let mut buffer = vec![0; 1 << 16];
        let (length, from) = server.recv_from(&mut buffer).expect("hear");
        assert_eq!(&buffer[..length], question);
        assert_eq!(from.ip(), IpAddr::from(gateway(&process)));
        // The first one's answer comes last.
        server.send_to(question, from).expect("answer");
    }
    assert_eq!(hear(&clients[1]), b"");
    assert_eq!(hear(&clients[0]), large);
    // What nobody published leads nowhere.
    let other = datagram_client(53);
    other.send(b"x").expect("ask");
    let refused = other.recv(&mut [0]).expect_err("the control");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let report = process.end();
    let line = "visitors  reached at the machine's UDP 127.0.0.1:8053\n";
    assert!(report.stderr.contains(line), "{}", report.stderr);
}

#[test]
fn a_crowd_of_datagrams_costs_the_launcher_no_more_than_its_share() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q", "-p", "8053:53/udp"], "");
    let server = datagram_server(&process);
    let descriptors = || {
        let folder = format!("/proc/{}/fd", process.launcher());
        std::fs::read_dir(folder).expect("its descriptors").count()
    };
    let before = descriptors();
    let crowd: Vec<UdpSocket> = (0..200)
        .map(|number: u8| {
            let client = datagram_client(8053);
            client.send(&[number]).expect("ask");
            assert_eq!(hear(&server), [number]);
            client
        })
        .collect();
    assert!(descriptors() <= before + 64, "{before}, {}", descriptors());
    // The control: the last one gets its answer, the first one asks anew.
    let answer = |client: &UdpSocket| {
        client.send(b"again").expect("ask");
        let mut buffer = [0; 5];
        let (_, from) = server.recv_from(&mut buffer).expect("hear");
        server.send_to(&buffer, from).expect("answer");
        hear(client)
    };
    assert_eq!(answer(&crowd[199]), b"again");
    assert_eq!(answer(&crowd[0]), b"again");
    process.end();
}

#[test]
fn a_udp_port_in_use_is_an_error_and_a_tcp_port_beside_it_is_none() {
    let _lab = Lab::new();
    let _taken = UdpSocket::bind("0.0.0.0:8053").expect("take a port");
    let report = run(STEP05, &["-q", "--publish", "8053:53/udp", "true"]);
    assert_eq!(report.status, 125, "{}", report.stderr);
    assert!(report.stderr.contains("UDP port 8053"), "{}", report.stderr);
    let report = run(STEP05, &["-q", "--publish", "8053:53", "true"]);
    assert_eq!(report.status, 0, "the control: {}", report.stderr);
}
