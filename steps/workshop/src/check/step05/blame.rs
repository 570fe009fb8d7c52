//! Which mistake in which function: by the kernel's answer, and by what has
//! come out here until then. The same error has many causes.

use super::super::report::Report;
use super::causes::{LOOPBACK, ROUTE, UP, VETH};
use super::heard::Link;

/// What is wrong with the cable, if it is not whole and on out here.
pub fn cable(report: &Report, links: &[Link]) -> Option<String> {
    let names: Vec<&str> = links.iter().map(|link| &*link.name).collect();
    let Some(cable) = links.iter().find(|link| link.name.starts_with("box"))
    else {
        return Some(match (&*names, report.status) {
            ([], None) => "it waits for ever, or goes round in circles".into(),
            ([], _) => report.likely(VETH, ""),
            _ => format!(
                "`plug_in` has made {} out here, and no box…: IFLA_IFNAME of \
                 the request itself, after its body and before IFLA_LINKINFO, is \
                 `cable.name`",
                names.join(" and ")
            ),
        });
    };
    let name = &cable.name;
    if cable.kind != "veth" {
        let kind = &cable.kind;
        return Some(format!(
            "`plug_in` has made a {kind}: IFLA_INFO_KIND is \"veth\""
        ));
    }
    if let Some(other) = names.iter().find(|one| !one.starts_with("box")) {
        return Some(peer_is_here(other));
    }
    // Of four addresses the first two hosts are the cable's.
    if cable.address.is_some_and(|address| address.octets()[3] % 4 != 1) {
        return Some(
            "`plug_in`: the machine's end gets `cable.outside`".into(),
        );
    }
    if cable.address.is_some() && cable.is_on {
        return None;
    }
    let no_address = cable.address.is_none();
    Some(match report.status {
        None if no_address => no_answer("plug_in"),
        _ if no_address && report.stderr.contains("EEXIST") => {
            "`plug_in` sends its request twice, and the name is taken".into()
        }
        Some(0) => "`plug_in` gives the machine's end its address and \
                    switches it on, at its end, as it was given"
            .into(),
        _ if no_address => report.likely(UP, "`plug_in` has left it as it is"),
        _ => format!(
            "`bring_up` has not switched on {name}, which it was told: the \
             index is that of `name`, and `link(index, flags)` takes it first"
        ),
    })
}

/// Of a rung that has no complaint.
pub fn fine() -> Report {
    Report { status: Some(0), ..Report::default() }
}

fn peer_is_here(other: &str) -> String {
    match other {
        "eth0" => "`plug_in`: eth0 was born out here, not inside: \
                   IFLA_NET_NS_PID, within VETH_INFO_PEER, is `pid`"
            .into(),
        _ => format!(
            "`plug_in`: the kernel has found no peer in the request, and made \
             one of its own, {other}, out here. VETH_INFO_PEER is in \
             IFLA_INFO_DATA in IFLA_LINKINFO, and begins with a body, \
             `raw(&link(0, 0))`, before all attributes"
        ),
    }
}

fn no_answer(function: &str) -> String {
    format!(
        "`{function}` waits for an answer that it has not asked for: ACK is \
         one of the flags of a request"
    )
}

/// Why it has not begun, with a cable.
pub fn with_cable(report: &Report, links: &[Link]) -> String {
    // Part 2 was there when part 3 is missing: is it as it should be?
    let why = match report.unwritten() {
        Some("configure") => cable(&fine(), links),
        _ => None,
    };
    let known = report.likely(&[], "");
    if why.is_none() && !known.is_empty() {
        return known; // not written yet, or panicked
    }
    let why = why.or_else(|| cable(report, links));
    why.unwrap_or_else(|| match report.status {
        None => no_answer("configure"),
        Some(_) => report.likely(ROUTE, ""),
    })
}

/// Why it has not begun, without a cable; `works`: whether `bring_up` does, if
/// that is known.
pub fn without(report: &Report, works: Option<bool>) -> String {
    match (report.status, works) {
        (None, _) => no_answer("bring_up"),
        (_, Some(true)) => report.likely(LOOPBACK, ""),
        _ => report.likely(
            UP,
            "`bring_up` and `bring_up_loopback`: what the \
            program said is above",
        ),
    }
}

/// Has `bring_up` switched on the machine's end? `None`: there was none.
pub fn is_brought_up(links: &[Link]) -> Option<bool> {
    let cable = links.iter().find(|link| link.name.starts_with("box"))?;
    cable.address.map(|_| cable.is_on)
}
