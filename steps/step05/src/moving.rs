//! An interface that the machine gives away: it goes to another network
//! namespace, with its addresses.
//!
//! An interface is in one namespace only. The kernel moves it there, and lets
//! go of what belongs to the place and not to the thing: it is switched off and
//! has no addresses (network_namespaces(7), netdevice(7)).

use std::fs::File;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nameindex;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::SockProtocol;
use nix::unistd::Pid;

use crate::messages::{
    IFLA_IFNAME, IFLA_NET_NS_PID, RTM_NEWADDR, RTM_NEWLINK, index_of, link,
};
use crate::netlink::{ACK, CREATE, DUMP, Netlink, Request, attributes};

/// rtnetlink(7).
const RTM_GETADDR: u16 = 22;

/// Attributes of an address, and two of its properties: <linux/if_addr.h>.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_PERMANENT: u32 = 0x80;
const RT_SCOPE_UNIVERSE: u8 = 0;

/// A list that others change while it is read is read again, so many times.
const TRIES: usize = 100;

/// An interface has a name of at most 15 bytes that could be a file's:
/// /sys/class/net has a folder for each.
///
/// # Errors
/// Anything else.
pub fn check_name(name: &str) -> Result<()> {
    let is_bad =
        |letter: char| letter.is_whitespace() || "/:\0".contains(letter);
    ensure!(
        (1..libc::IFNAMSIZ).contains(&name.len())
            && !name.contains(is_bad)
            && ![".", ".."].contains(&name),
        "{name:?} is no name of an interface"
    );
    Ok(())
}

/// The launcher: moves the interface `name` to the network namespace of
/// process `pid`, where it is `new_name`, has the addresses that it had here
/// (those that are permanent and for the whole world), and is switched on.
///
/// With `%d` in it the kernel puts in the first number that is free.
///
/// # Errors
/// ENODEV when there is none of this name, EEXIST when there is one of the new
/// name in there, EINVAL for one that may not move, as `lo`.
pub fn give_away(name: &str, new_name: &str, pid: Pid) -> Result<()> {
    let here = Netlink::open(SockProtocol::NetlinkRoute)?;
    let index = index_of(name)?;
    let addresses = addresses(&here, index)
        .with_context(|| format!("list the addresses of {name}"))?;
    let there = There::of(pid)?;
    let before = there.visit(names)?;
    // The kernel would move it, and only then find out that it cannot have
    // that name; with the namespace it would be gone.
    if before.iter().any(|(_, taken)| taken == new_name) {
        return Err(Errno::EEXIST)
            .with_context(|| format!("move {name}, as {new_name}"));
    }
    here.send(
        Request::new(RTM_NEWLINK, ACK, &link(index, 0))
            .text(IFLA_IFNAME, new_name)
            .attribute(IFLA_NET_NS_PID, &pid.as_raw().to_ne_bytes()),
    )
    .with_context(|| format!("move {name}, as {new_name}"))?;
    there.visit(|| {
        let is_it = |(_, known): &(u32, String)| {
            known == new_name || !before.iter().any(|(_, old)| old == known)
        };
        let found = names()?.into_iter().find(is_it);
        let (index, name) = found.context("find it there")?;
        let route = Netlink::open(SockProtocol::NetlinkRoute)?;
        for address in &addresses {
            route
                .send(address.request(index))
                .with_context(|| format!("give {name} its address again"))?;
        }
        let up = libc::IFF_UP as u32;
        route
            .send(Request::new(RTM_NEWLINK, ACK, &link(index, up)))
            .with_context(|| format!("switch {name} on"))
    })
}

fn names() -> Result<Vec<(u32, String)>> {
    let all = if_nameindex().context("list the interfaces")?;
    let name = |one: &nix::net::if_::Interface| {
        (one.index(), one.name().to_string_lossy().into_owned())
    };
    Ok(all.iter().map(name).collect())
}

/// Another process's network namespace, and the way back.
struct There {
    there: File,
    home: File,
}

impl There {
    fn of(pid: Pid) -> Result<There> {
        let open = |path: &str| File::open(path).context(path.to_owned());
        let there = open(&format!("/proc/{pid}/ns/net"))?;
        Ok(There { there, home: open("/proc/thread-self/ns/net")? })
    }

    /// A socket belongs to the namespace in which it was opened, so all that
    /// takes is to be in there for a moment.
    fn visit<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let enter = |namespace| setns(namespace, CloneFlags::CLONE_NEWNET);
        enter(&self.there).context("enter the network namespace")?;
        let done = act();
        enter(&self.home).context("leave the network namespace")?;
        done
    }
}

/// What is kept of an address.
#[derive(Debug, PartialEq)]
struct Address {
    family: u8,
    prefix: u8,
    local: Vec<u8>,
    /// The other end of a cable with two ends; the same as `local` otherwise.
    address: Vec<u8>,
}

impl Address {
    /// struct ifaddrmsg: family, prefix length, flags, scope, interface.
    fn request(&self, index: u32) -> Request {
        let body = [self.family, self.prefix, 0, RT_SCOPE_UNIVERSE];
        let body = [&body[..], &index.to_ne_bytes()].concat();
        Request::new(RTM_NEWADDR, ACK | CREATE, &body)
            .attribute(IFA_LOCAL, &self.local)
            .attribute(IFA_ADDRESS, &self.address)
    }

    /// None for one of another interface, or that belongs to this place.
    fn read(body: &[u8], index: u32) -> Option<Address> {
        let &[family, prefix, flags, scope, ref rest @ ..] = body else {
            return None;
        };
        let its = u32::from_ne_bytes(*rest.first_chunk()?);
        let attributes = attributes(rest.get(4..)?);
        let find = |kind| {
            let mut all = attributes.iter();
            all.find(|(its, _)| *its == kind).map(|(_, value)| *value)
        };
        // The body has room for eight of them only.
        let long = find(IFA_FLAGS).and_then(|value| value.first_chunk());
        let flags =
            long.map_or(u32::from(flags), |&it| u32::from_ne_bytes(it));
        let is_kept = its == index
            && flags & IFA_F_PERMANENT != 0
            && scope == RT_SCOPE_UNIVERSE;
        let address = find(IFA_ADDRESS).filter(|_| is_kept)?;
        let local = find(IFA_LOCAL).unwrap_or(address);
        let (local, address) = (local.to_vec(), address.to_vec());
        Some(Address { family, prefix, local, address })
    }
}

fn addresses(route: &Netlink, index: u32) -> Result<Vec<Address>, Errno> {
    let list = Request::new(RTM_GETADDR, DUMP, &[0; 8]);
    let mut tries = 0;
    let bodies = loop {
        match route.ask([list.clone()]) {
            Err(Errno::EINTR) if tries < TRIES => tries += 1,
            answer => break answer?,
        }
    };
    let read = |body: &Vec<u8>| Address::read(body, index);
    Ok(bodies.iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_could_be_a_files() {
        for name in ["eth0", "a", "with-15-letters", "eth%d", "eth0.1"] {
            check_name(name).expect(name);
        }
        let bad =
            ["", ".", "..", "a/b", "a:b", "a b", "a\0", "of-16-letters--!"];
        for name in bad {
            check_name(name).expect_err(name);
        }
    }

    #[test]
    fn only_what_is_permanent_and_global_goes_along() {
        let body = |flags, scope, index: u32, long: Option<u32>| {
            let mut bytes = vec![libc::AF_INET as u8, 24, flags, scope];
            bytes.extend(index.to_ne_bytes());
            let mut push = |kind: u16, value: &[u8]| {
                bytes.extend((4 + value.len() as u16).to_ne_bytes());
                bytes.extend(kind.to_ne_bytes());
                bytes.extend(value);
            };
            push(IFA_ADDRESS, &[10, 0, 0, 1]);
            if let Some(long) = long {
                push(IFA_FLAGS, &long.to_ne_bytes());
            }
            bytes
        };
        let permanent = IFA_F_PERMANENT as u8;
        let read = |bytes: &[u8]| Address::read(bytes, 7);
        let found = read(&body(permanent, 0, 7, None)).expect("the control");
        assert_eq!((found.prefix, found.local), (24, vec![10, 0, 0, 1]));
        assert!(read(&body(0, 0, 7, Some(IFA_F_PERMANENT))).is_some());
        for (flags, scope, index, long) in [
            (0, 0, 7, None),
            (permanent, 253, 7, None),
            (permanent, 0, 8, None),
            (permanent, 0, 7, Some(0)),
        ] {
            let found = read(&body(flags, scope, index, long));
            assert_eq!(found, None, "{flags} {scope} {index} {long:?}");
        }
        let whole = body(permanent, 0, 7, None);
        for length in 0..12 {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
    }
}
