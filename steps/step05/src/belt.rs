//! The seat belt of this rung's exercise: a cable that is made wrongly is not
//! left on the machine. Only a rung built with the exercise wears it.
//!
//! A veth ends with the namespace of its other end. Without one, or as another
//! kind of interface, it would stay for good.

use anyhow::{Context, Result};
use nix::net::if_::if_nameindex;
use nix::sys::socket::SockProtocol;
use step00::{Guardian, epilogue};

use crate::address::{Cable, NAME};
use crate::messages::{index_of, link};
use crate::netlink::{ACK, Netlink, Request};

/// rtnetlink(7).
const RTM_DELLINK: u16 = 17;

/// Worn until the container has ended.
#[derive(Debug)]
pub(crate) struct Belt {
    before: Vec<String>,
    guardian: Option<Guardian>,
}

impl Belt {
    /// Before the process is made. The guardian removes what has the name of
    /// this cable, even if the launcher is killed.
    ///
    /// # Errors
    /// EAGAIN when there are too many processes.
    pub(crate) fn fasten(cable: &Cable) -> Result<Option<Belt>> {
        if !cfg!(feature = "exercise") {
            return Ok(None);
        }
        let guardian = Guardian::start(&[], || {
            // ENODEV: it has ended by itself, as it should.
            let _ = remove(&cable.name);
        })?;
        Ok(Some(Belt { before: names(), guardian: Some(guardian) }))
    }
}

impl Drop for Belt {
    fn drop(&mut self) {
        drop(self.guardian.take());
        let mut new = names();
        // Those of other launchers end with their containers.
        new.retain(|name| {
            !self.before.contains(name) && !name.starts_with(NAME)
        });
        if !new.is_empty() {
            epilogue(&format!(
                "interfaces that were not here before: {}\n  if nobody else \
                 has made them, `plug_in` did: ip link delete {}",
                new.join(" "),
                new[0]
            ));
        }
    }
}

/// The interfaces of this network namespace.
fn names() -> Vec<String> {
    let all = if_nameindex();
    let names = all.iter().flatten().map(|one| one.name().to_string_lossy());
    names.map(Into::into).collect()
}

/// And with one end of a veth goes the other.
fn remove(name: &str) -> Result<()> {
    let body = link(index_of(name)?, 0);
    Netlink::open(SockProtocol::NetlinkRoute)?
        .send(Request::new(RTM_DELLINK, ACK, &body))
        .with_context(|| format!("remove {name}"))
}
