//! What the private network of step05 is made of.

use step00::proc::Route;

use super::finding::{Finding, Rungs};
use super::machine::Machine;
use super::options::{Options, Part, Support};

const PARTS: [(&str, Part); 3] = [
    ("cables (veth)", Part { option: "CONFIG_VETH", module: "veth" }),
    ("rules", Part { option: "CONFIG_NF_TABLES", module: "nf_tables" }),
    ("masquerade", Part { option: "CONFIG_NFT_MASQ", module: "nft_masq" }),
];

/// Parts of the kernel, and what else decides about a container's packets.
pub fn look(machine: &Machine) -> Vec<Finding> {
    let mut found = vec![parts(machine)];
    found.extend(route(machine));
    found.extend(firewall(machine));
    found
}

/// step05 speaks to nf_tables itself, so the program `nft` is not needed.
fn parts(machine: &Machine) -> Finding {
    let (subject, rungs) = ("network", Rungs::from(5));
    let options = Options::read(machine);
    let with = |wanted: &[Support]| -> Vec<&str> {
        let parts = PARTS.iter();
        let parts = parts.filter(|p| wanted.contains(&options.support(p.1)));
        parts.map(|(_, part)| part.module).collect()
    };
    let lost = with(&[Support::Absent, Support::NoModule]);
    if !lost.is_empty() {
        let text = format!(
            "this kernel lacks {}; with --network none all rungs do without",
            lost.join(", ")
        );
        return Finding::missing(subject, rungs, text)
            .mend("scripts/vm cargo run -p step05");
    }
    let unknown = with(&[Support::Unknown]);
    if !unknown.is_empty() {
        let text = format!("nothing here tells about {}", unknown.join(", "));
        return Finding::note(subject, rungs, text)
            .mend(format!("sudo modprobe -a {}", unknown.join(" ")));
    }
    let forwards = machine.number("/proc/sys/net/ipv4/ip_forward") == Some(1);
    let forwarding = match forwards {
        true => "forwarding is on",
        false => "forwarding is off, step05 borrows it",
    };
    let text = format!("veth and nf_tables are here; {forwarding}");
    Finding::fine(subject, rungs, text)
}

/// The way out, if there is a table of routes at all.
fn route(machine: &Machine) -> Option<Finding> {
    let table = machine.read("/proc/net/route")?;
    if Route::parse_all(&table).iter().any(Route::is_default) {
        return None;
    }
    let text = "this machine has no way out itself (no default route), so \
                containers reach only the machine";
    Some(Finding::note("route", Rungs::from(5), text))
}

/// A drop policy in the forward chain defeats any other table's accept. Only
/// root may read the rules; Docker's bridge tells that there are some.
fn firewall(machine: &Machine) -> Option<Finding> {
    if !machine.has("/sys/class/net/docker0") {
        return None;
    }
    let text = "Docker is here and as a rule lets nobody else forward; only \
                root can read the rules, and step05 does and tells";
    let mend = "sudo iptables -I DOCKER-USER -s 10.77.0.0/16 -j ACCEPT";
    Some(Finding::note("firewall", Rungs::from(5), text).mend(mend))
}
