//! The cable leads both ways: what does not come out of it, and what does not
//! get in.

use std::fs;
use std::net::{
    Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream, UdpSocket,
};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use witness::{Running, eventually, start};

use crate::STEP05;
use crate::lab::{
    Lab, MACHINE, SERVER, address, gateway, interfaces, ip, network_of,
    program, server, within,
};

/// Long enough for a packet, and short enough to wait for none.
const MOMENT: Duration = Duration::from_millis(500);

fn cable() -> String {
    let mut names = interfaces("thread-self").into_iter();
    names.find(|name| name.starts_with("box")).expect("a cable")
}

/// Sends a router advertisement out of eth0: "whatever you do not know the way
/// to, give it to me" (RFC 4861, 4.2).
fn advertise() {
    let lifetime = 1800u16.to_be_bytes();
    let mut packet = [0; 16];
    packet[0] = 134;
    packet[4] = 64;
    packet[6..8].copy_from_slice(&lifetime);
    let protocol = libc::IPPROTO_ICMPV6;
    // SAFETY: socket(2) takes three numbers; the descriptor is ours alone.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET6, libc::SOCK_RAW, protocol);
        assert_ne!(fd, -1, "a raw socket");
        OwnedFd::from_raw_fd(fd)
    };
    let hops = 255i32;
    // SAFETY: the option is an int, and this is one.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_MULTICAST_HOPS,
            (&raw const hops).cast(),
            size_of::<i32>() as u32,
        )
    };
    assert_eq!(set, 0, "set the hop limit");
    let socket = UdpSocket::from(socket);
    let index = if_nametoindex("eth0").expect("eth0");
    let all: Ipv6Addr = "ff02::1".parse().expect("an address");
    let to = SocketAddr::V6(SocketAddrV6::new(all, 0, 0, index));
    // Until duplicate address detection is over, there is no source for it.
    eventually("an address to send it from", || {
        socket.send_to(&packet, to).is_ok()
    });
}

#[test]
fn the_machine_takes_no_router_advertisement() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q"], "");
    let (network, cable) = (network_of(process.pid), cable());
    let routes = || ip("-6 route show default");
    let addresses = || ip(&format!("-6 address show dev {cable}"));
    assert_eq!(addresses(), "", "the machine's end speaks IPv6");
    within(&network, advertise);
    sleep(MOMENT);
    assert_eq!(routes(), "", "the container is the way out");
    // The control: the same packet at a cable as the kernel makes it.
    for (setting, value) in [("disable_ipv6", "0"), ("accept_ra", "1")] {
        let path = format!("/proc/sys/net/ipv6/conf/{cable}/{setting}");
        fs::write(path, value).expect("set it");
    }
    eventually("an address", || addresses().contains("fe80"));
    eventually("a route by way of the container", || {
        within(&network, advertise);
        routes().contains(&cable)
    });
    process.end();
}

/// Does a packet from this address of the container arrive?
fn arrives(process: &Running, from: &str) -> bool {
    let server = UdpSocket::bind(("0.0.0.0", 0)).expect("listen");
    server.set_read_timeout(Some(MOMENT)).expect("not for ever");
    let port = server.local_addr().expect("its address").port();
    let to = SocketAddrV4::new(gateway(process), port);
    within(&network_of(process.pid), || {
        let client = UdpSocket::bind((from, 0)).expect("take the address");
        client.send_to(b"x", to).expect("send");
    });
    server.recv(&mut [0; 8]).is_ok()
}

#[test]
fn nothing_comes_from_an_address_that_is_not_the_containers() {
    let _lab = Lab::new();
    let process = start(STEP05, &["-q"], "");
    within(&network_of(process.pid), || {
        ip("address add 10.99.0.1/32 dev eth0");
    });
    // So that the machine would find the way back to be right.
    ip(&format!("route add 10.99.0.1/32 dev {}", cable()));
    assert!(!arrives(&process, "10.99.0.1"));
    let own = address(&process).to_string();
    assert!(arrives(&process, &own), "the control");
    process.end();
}

#[test]
fn what_is_not_published_cannot_be_reached_by_neighbours() {
    let lab = Lab::new();
    let script = "nc -ll -p 80 -e echo hello &";
    let [process, other] = [(); 2].map(|()| start(STEP05, &["-q"], script));
    // A neighbour on the network who knows who is a router.
    lab.outside(|| {
        ip("route add 10.77.0.0/16 via 198.51.100.1");
    });
    let port = SocketAddr::from((address(&process), 80));
    let reach = || TcpStream::connect_timeout(&port, MOMENT).is_ok();
    eventually("the server, from the machine: the control", reach);
    assert!(!lab.outside(reach), "a neighbour");
    assert!(!within(&network_of(other.pid), reach), "another container");
    // The controls: what both of them would reach, and what this one reaches.
    let server = server("0.0.0.0");
    let port = server.local_addr().expect("its address").port();
    let machine = format!("{MACHINE}:{port}").parse().expect("an address");
    let reach = || TcpStream::connect_timeout(&machine, MOMENT).is_ok();
    assert!(lab.outside(reach) && within(&network_of(other.pid), reach));
    let ping = format!("-q -c 1 -W 20 {SERVER}");
    within(&network_of(process.pid), || program("ping", &ping));
    process.end();
    other.end();
}
