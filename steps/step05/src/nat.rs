//! The way out: the machine forwards the container's packets under its own
//! address (masquerade), since no other machine has a route to 10.77.x.y.
//!
//! The rule is sent to nf_tables as `nft` would send it. The table has an
//! `owner`: the netlink socket that made it. The kernel removes it when that
//! socket is closed, and so with the launcher, however that ends.
//! (`nft -f file` could not do this: its socket is closed when it exits.)
//!
//! Who closes that socket waits, until no processor can be reading the table
//! any more (an RCU grace period: rcu/whatisRCU in the kernel's documentation),
//! which is longer than all the rest of a short command. So a launcher that
//! ends in order deletes the table by a message, after which it is gone, and
//! leaves the last copy of the socket to a guardian for whose end nobody waits.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use step00::Advice;

use crate::address::Cable;
use crate::guard;
use crate::netlink::{DUMP, Netlink, Request, attributes};
use crate::nf_requests::{batch, chain, delete_table, rule, table};
use crate::nf_tables::*;

/// The rule, for as long as this lives.
#[derive(Debug)]
pub struct Masquerade {
    name: String,
    owner: Netlink,
}

impl Masquerade {
    /// Opens the socket that is to own a table of this name.
    ///
    /// # Errors
    /// EPROTONOSUPPORT when the kernel lacks netfilter's netlink.
    pub fn prepare(name: String) -> Result<Masquerade> {
        let owner = failed(Netlink::open(SockProtocol::NetlinkNetFilter))?;
        Ok(Masquerade { name, owner })
    }

    /// The table lives as long as this is open somewhere.
    pub fn owner(&self) -> BorrowedFd<'_> {
        self.owner.as_fd()
    }

    /// What `nft` calls
    ///
    /// ```text
    /// table ip NAME {
    ///     flags owner
    ///     chain postrouting {
    ///         type nat hook postrouting priority srcnat
    ///         ip saddr INSIDE masquerade
    ///     }
    /// }
    /// ```
    ///
    /// with the chains of `guard.rs`.
    ///
    /// # Errors
    /// EOPNOTSUPP or ENOENT when the kernel lacks nf_tables or its NAT.
    pub fn start(&self, cable: &Cable) -> Result<()> {
        let name = &self.name;
        let mut requests = vec![
            table(name),
            // After routing, where the source address may be changed.
            chain(
                name,
                "postrouting",
                "nat",
                NF_INET_POST_ROUTING,
                NF_IP_PRI_NAT_SRC,
            ),
            masquerade(name, cable.inside),
        ];
        requests.extend(guard::chains(name, cable));
        failed(send_patiently(&self.owner, &batch(requests)))
    }
}

impl Drop for Masquerade {
    fn drop(&mut self) {
        // Where this fails, it goes with the socket.
        let _ = self.owner.ask(batch(vec![delete_table(&self.name)]));
    }
}

fn failed<T>(answer: Result<T>) -> Result<T> {
    answer
        .context("masquerade the container's address with nf_tables")
        .advice("sudo modprobe -a nft_chain_nat nft_ct; or: --network none")
}

/// Parts of nf_tables may be modules, which the kernel loads when they are
/// first asked for. A request that comes while they are being loaded for
/// another launcher may get ENOENT, as if there were none; so repeat it
/// for a second.
fn send_patiently(owner: &Netlink, batch: &[Request]) -> Result<()> {
    for _ in 0..20 {
        match owner.ask(batch.iter().cloned()) {
            Err(Errno::ENOENT) => sleep(Duration::from_millis(50)),
            answer => return Ok(answer.map(drop)?),
        }
    }
    Ok(owner.ask(batch.iter().cloned()).map(drop)?)
}

/// Three expressions in a row: load, compare, masquerade. A comparison that
/// fails ends the rule.
fn masquerade(table: &str, address: Ipv4Addr) -> Request {
    rule(table, "postrouting", |expressions| {
        expressions
            .load_header(SOURCE_OFFSET, SOURCE_LENGTH)
            .compare(NFT_CMP_EQ, &address.octets())
            .expression("masq", |nothing| nothing)
    })
}

/// The chains that drop what the machine would forward, as `table chain`.
///
/// A packet passes every chain of a hook. An accept in one of them does not
/// help when the policy of another is to drop: Docker sets such a policy.
pub fn dropping_chains() -> Result<Vec<String>> {
    let netlink = Netlink::open(SockProtocol::NetlinkNetFilter)?;
    loop {
        let list = Request::new(NFT_MSG_GETCHAIN, DUMP, &[0, 0, 0, 0]);
        let chains = match netlink.ask([list]) {
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
    let forward = NF_INET_FORWARD.to_be_bytes();
    let drop = NF_DROP.to_be_bytes();
    // A table of the family `inet` sees IPv4 and IPv6.
    let is_ipv4 = [libc::NFPROTO_IPV4, libc::NFPROTO_INET].contains(&family);
    let hook = attributes(value(NFTA_CHAIN_HOOK)?);
    let is_dropping = is_ipv4
        && hook.contains(&(NFTA_HOOK_HOOKNUM, &forward[..]))
        && value(NFTA_CHAIN_POLICY)? == drop;
    is_dropping.then(|| {
        format!("{} {}", name(NFTA_CHAIN_TABLE), name(NFTA_CHAIN_NAME))
    })
}
