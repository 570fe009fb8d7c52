//! The way out: the machine forwards the container's packets under its own
//! address (masquerade), since nobody else knows a way to 10.77.x.y.
//!
//! The rule is sent to nf_tables as `nft` would send it. The table has an
//! `owner`: the netlink socket that made it. The kernel removes it when that
//! socket is closed, and so with the launcher, however that ends.
//! (`nft -f file` could not do this: its socket is closed when it exits.)

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use step00::Advice;

use crate::netlink::{ACK, CREATE, DUMP, Netlink, Request, attributes};

// Kinds of message: the subsystem in the upper byte, from
// <linux/netfilter/nfnetlink.h> and <linux/netfilter/nf_tables.h>.
const NFTABLES: u16 = 10 << 8;
const NEW_TABLE: u16 = NFTABLES;
const NEW_CHAIN: u16 = NFTABLES | 3;
const GET_CHAIN: u16 = NFTABLES | 4;
const NEW_RULE: u16 = NFTABLES | 6;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

const INET4: u8 = libc::NFPROTO_IPV4 as u8;
const NAME: u16 = 1;
const DATA: u16 = 2;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;

/// The rule, for as long as this lives.
#[derive(Debug)]
pub struct Masquerade {
    _owner: Netlink,
}

impl Masquerade {
    /// What `nft` calls
    ///
    /// ```text
    /// table ip NAME {
    ///     flags owner
    ///     chain postrouting {
    ///         type nat hook postrouting priority srcnat
    ///         ip saddr ADDRESS masquerade
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// EOPNOTSUPP or ENOENT when the kernel lacks nf_tables or its NAT.
    pub fn start(name: &str, address: Ipv4Addr) -> Result<Masquerade> {
        // All or nothing: between `begin` and `end` lies one transaction.
        let batch = [
            message(BATCH_BEGIN, 0, NFTABLES >> 8),
            table(name),
            chain(name),
            rule(name, address),
            message(BATCH_END, 0, NFTABLES >> 8),
        ];
        let bytes: Vec<u8> =
            batch.into_iter().flat_map(Request::finish).collect();
        Masquerade::send_patiently(&bytes)
            .context("masquerade the container's address with nf_tables")
            .advice("sudo modprobe nft_chain_nat; or: --network none")
    }

    /// What is a module of the kernel is loaded when somebody first asks for
    /// it. Whoever asks while it is still being loaded for another launcher
    /// may be told ENOENT, as if there were none; so ask for a second.
    fn send_patiently(bytes: &[u8]) -> Result<Masquerade> {
        const NOT_YET: Option<&Errno> = Some(&Errno::ENOENT);
        for _ in 0..20 {
            match Masquerade::send(bytes) {
                Err(error) if error.downcast_ref() == NOT_YET => {
                    sleep(Duration::from_millis(50));
                }
                answer => return answer,
            }
        }
        Masquerade::send(bytes)
    }

    fn send(bytes: &[u8]) -> Result<Masquerade> {
        let owner = Netlink::open(SockProtocol::NetlinkNetFilter)?;
        owner.write(bytes)?;
        owner.answers()?;
        Ok(Masquerade { _owner: owner })
    }
}

fn table(name: &str) -> Request {
    const OWNER: u32 = 2;
    message(NEW_TABLE, CREATE, 0).text(NAME, name).number(DATA, OWNER)
}

fn chain(table: &str) -> Request {
    // After routing, where the source address may be changed; 100 is what
    // nft calls `srcnat`.
    let (postrouting, srcnat) = (libc::NF_INET_POST_ROUTING as u32, 100);
    message(NEW_CHAIN, CREATE, 0)
        .text(NAME, table)
        .text(CHAIN_NAME, "postrouting")
        .nested(CHAIN_HOOK, |hook| {
            hook.number(1, postrouting).number(2, srcnat)
        })
        .text(CHAIN_TYPE, "nat")
}

// ANCHOR: rule
/// Three expressions in a row: load, compare, masquerade. A comparison that
/// fails ends the rule.
fn rule(table: &str, address: Ipv4Addr) -> Request {
    const REGISTER: u32 = 1;
    const NETWORK_HEADER: u32 = 1;
    const EQUAL: u32 = 0;
    message(NEW_RULE, CREATE | ACK, 0)
        .text(1, table)
        .text(2, "postrouting")
        .nested(4, |expressions| {
            expressions
                // Four bytes at offset 12 of the IPv4 header: the source.
                .expression("payload", |load| {
                    load.number(1, REGISTER)
                        .number(2, NETWORK_HEADER)
                        .number(3, 12)
                        .number(4, 4)
                })
                .expression("cmp", |compare| {
                    compare
                        .number(1, REGISTER)
                        .number(2, EQUAL)
                        .nested(3, |data| data.attribute(1, &address.octets()))
                })
                .expression("masq", |nothing| nothing)
        })
}
// ANCHOR_END: rule

/// struct nfgenmsg: family, version 0, and for a batch its subsystem.
fn message(kind: u16, flags: u16, subsystem: u16) -> Request {
    let [high, low] = subsystem.to_be_bytes();
    let family = if subsystem == 0 { INET4 } else { 0 };
    Request::new(kind, flags, &[family, 0, high, low])
}

impl Request {
    /// nf_tables wants its numbers in network order.
    fn number(self, kind: u16, number: u32) -> Request {
        self.attribute(kind, &number.to_be_bytes())
    }

    fn expression(
        self,
        name: &str,
        fill: impl FnOnce(Request) -> Request,
    ) -> Request {
        self.nested(1, |element| element.text(NAME, name).nested(DATA, fill))
    }
}

/// The chains that drop what the machine would forward, as `table chain`.
///
/// A packet passes every chain of a hook. That one chain lets it through is no
/// help when another one's policy is to drop: Docker sets such a policy.
pub fn dropping_chains() -> Result<Vec<String>> {
    let netlink = Netlink::open(SockProtocol::NetlinkNetFilter)?;
    loop {
        let list = Request::new(GET_CHAIN, DUMP, &[0, 0, 0, 0]);
        netlink.write(&list.finish())?;
        let chains = match netlink.answers() {
            // Another launcher has made its table in the meantime.
            Err(Errno::EINTR) => continue,
            chains => chains?,
        };
        return Ok(chains.iter().filter_map(|c| dropping(c)).collect());
    }
}

/// The name of a chain, if it is on the way of forwarded IPv4 packets and
/// drops what no rule of it accepts.
fn dropping(chain: &[u8]) -> Option<String> {
    let family = i32::from(*chain.first()?);
    let fields = attributes(chain.get(4..)?);
    let value = |wanted| {
        let mut all = fields.iter();
        all.find(|(kind, _)| *kind == wanted).map(|(_, value)| *value)
    };
    let name = |kind| {
        let bytes = value(kind).unwrap_or_default();
        String::from_utf8_lossy(bytes).replace('\0', "")
    };
    let forward = (libc::NF_INET_FORWARD as u32).to_be_bytes();
    let drop = (libc::NF_DROP as u32).to_be_bytes();
    // A table of the family `inet` sees IPv4 and IPv6.
    let is_ipv4 = [libc::NFPROTO_IPV4, libc::NFPROTO_INET].contains(&family);
    let hook = attributes(value(CHAIN_HOOK)?);
    let is_dropping = is_ipv4
        && hook.contains(&(1, &forward[..]))
        && value(CHAIN_POLICY)? == drop;
    is_dropping.then(|| format!("{} {}", name(NAME), name(CHAIN_NAME)))
}
