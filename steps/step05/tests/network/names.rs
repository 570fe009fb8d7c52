//! How names become addresses inside.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use witness::{Report, run, start};

use crate::STEP05;
use crate::lab::{Lab, SERVER, address};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";
/// What the name server below answers to any question.
const ANSWER: [u8; 4] = [203, 0, 113, 7];

/// A name server in the world outside, until it is dropped.
struct NameServer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    fn new(lab: &Lab) -> NameServer {
        let socket = lab.outside(|| UdpSocket::bind((SERVER, 53)));
        let socket = socket.expect("serve names");
        let pause = Some(Duration::from_millis(20));
        socket.set_read_timeout(pause).expect("not for ever");
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let serve = move || {
            while !over.load(Ordering::Relaxed) {
                let mut question = [0; 512];
                let Ok((length, client)) = socket.recv_from(&mut question)
                else {
                    continue;
                };
                let answer = answer(&question[..length]);
                socket.send_to(&answer, client).expect("answer");
            }
        };
        NameServer { is_over, thread: Some(thread::spawn(serve)) }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let served = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(served, Some(Ok(()))));
    }
}

/// RFC 1035, section 4: the header, the question again, and for type A one
/// record whose name is a pointer to the question's.
fn answer(question: &[u8]) -> Vec<u8> {
    let mut end = 12;
    while question[end] != 0 {
        end += question[end] as usize + 1;
    }
    let [kind, rest @ ..] = &question[end + 1..] else { panic!("no type") };
    let is_a = (*kind, rest[0]) == (0, 1);
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(&question[12..end + 5]);
    if is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(ANSWER);
    }
    answer
}

fn look_up(flags: &[&str]) -> Report {
    let command = ["-q", "--", "nslookup", "box.example"];
    run(STEP05, &[flags, &command].concat())
}

fn resolv_conf(flags: &[&str]) -> String {
    let command = ["-q", "--", "cat", RESOLV_CONF];
    run(STEP05, &[flags, &command].concat()).stdout
}

#[test]
fn the_machines_name_server_is_asked() {
    let lab = Lab::new();
    let server = NameServer::new(&lab);
    let text =
        format!("nameserver {SERVER}\nsearch example\noptions timeout:20\n");
    lab.files.cover(RESOLV_CONF, &text);
    assert_eq!(resolv_conf(&[]), text);
    let report = look_up(&[]);
    assert!(report.stdout.contains("203.0.113.7"), "{}", report.stdout);
    // The control: without a server there is no answer.
    drop(server);
    lab.files.cover(RESOLV_CONF, "nameserver 203.0.113.8\n");
    let ask = ["timeout", "1", "nslookup", "box.example"];
    let report = run(STEP05, &[&["-q", "--init", "--"], &ask[..]].concat());
    assert!(!report.stdout.contains("203.0.113.7"), "{}", report.stdout);
    assert_ne!(report.status, 0);
}

#[test]
fn a_server_on_the_machines_loopback_is_replaced_by_those_behind_it() {
    let lab = Lab::new();
    let _server = NameServer::new(&lab);
    let stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n";
    lab.files.cover(RESOLV_CONF, stub);
    lab.files.cover(RESOLVED, "# not this\n");
    let text = "options edns0 trust-ad\nsearch lan\n";
    assert_eq!(resolv_conf(&[]), text, "the control: no server is known");
    lab.files.cover(RESOLVED, &format!("nameserver {SERVER}\n"));
    assert_eq!(resolv_conf(&[]), format!("nameserver {SERVER}\n{text}"));
    let report = look_up(&[]);
    assert!(report.stdout.contains("203.0.113.7"), "{}", report.stdout);
}

#[test]
fn a_server_that_only_ipv6_leads_to_is_left_out() {
    let lab = Lab::new();
    let both = format!("nameserver 2001:db8::53\nnameserver {SERVER}\n");
    lab.files.cover(RESOLV_CONF, &both);
    assert_eq!(resolv_conf(&[]), format!("nameserver {SERVER}\n"));
    // The control: on the machine's own network it may be reached.
    assert_eq!(resolv_conf(&["--network", "host"]), both);
}

#[test]
fn on_the_machines_own_network_its_loopback_is_asked() {
    let lab = Lab::new();
    let text = "nameserver 127.0.0.53\n";
    lab.files.cover(RESOLV_CONF, text);
    assert_eq!(resolv_conf(&["--network", "host"]), text);
}

#[test]
fn dns_names_other_servers() {
    let lab = Lab::new();
    let _server = NameServer::new(&lab);
    lab.files.cover(RESOLV_CONF, "nameserver 203.0.113.8\nsearch lan\n");
    let flags = ["--dns", SERVER, "--dns", "2001:db8::53"];
    let text =
        format!("nameserver {SERVER}\nnameserver 2001:db8::53\nsearch lan\n");
    assert_eq!(resolv_conf(&flags), text);
    let report = look_up(&flags[..2]);
    assert!(report.stdout.contains("203.0.113.7"), "{}", report.stdout);
    let report = run(STEP05, &["--dns", "one.one.one.one", "true"]);
    assert_eq!(report.status, 2, "a name has to be asked for, too");
}

#[test]
fn its_own_name_is_its_own_address() {
    let lab = Lab::new();
    lab.files.cover(RESOLV_CONF, "");
    let script = "ping -q -c 1 -W 20 elsewhere | head -n 1";
    let flags = ["-q", "--hostname", "elsewhere"];
    let mut process = start(STEP05, &flags, script);
    let own = address(&process);
    let line = process.hear();
    let found = format!("PING elsewhere ({own})");
    assert!(line.starts_with(&found), "{line}");
    process.end();
    // The control: the machine's /etc/hosts knows no such name.
    let machines = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    assert!(!machines.contains("elsewhere"), "{machines}");
}

#[test]
fn what_follows_an_address_does_not_cost_the_server() {
    let lab = Lab::new();
    let text = format!(
        "nameserver {SERVER} # by dhcp\n\
         nameserver 203.0.113.9 203.0.113.10\n\
         # nameserver 203.0.113.11\n\
         domain corp.example\nsearch a.example b.example\n\
         sortlist 203.0.113.0\noptions ndots:2\n"
    );
    lab.files.cover(RESOLV_CONF, &text);
    let right = format!(
        "nameserver {SERVER}\nnameserver 203.0.113.9\n\
         domain corp.example\nsearch a.example b.example\n\
         sortlist 203.0.113.0\noptions ndots:2\n"
    );
    assert_eq!(resolv_conf(&[]), right);
    assert_eq!(resolv_conf(&["--network", "host"]), right);
}

#[test]
fn without_a_name_server_the_ledger_says_so() {
    let lab = Lab::new();
    let warning = "blind  names     no name server";
    for (text, is_told) in [
        ("nameserver 127.0.0.1\n", true),
        ("nameserver 2001:db8::53\n", true),
        ("", true),
        ("nameserver 203.0.113.9\n", false),
    ] {
        lab.files.cover(RESOLV_CONF, text);
        let report = run(STEP05, &["true"]);
        let said = report.stderr;
        assert_eq!(said.contains(warning), is_told, "{text}: {said}");
    }
    lab.files.cover(RESOLV_CONF, "");
    for flags in [["--dns", "203.0.113.9"], ["--network", "none"]] {
        let report = run(STEP05, &[&flags[..], &["true"]].concat());
        assert!(!report.stderr.contains(warning), "{}", report.stderr);
    }
}

#[test]
fn a_full_name_has_a_short_one_beside_it() {
    let lab = Lab::new();
    lab.files.cover(RESOLV_CONF, "");
    let script = "ping -q -c 1 -W 20 web | head -n 1; hostname -f";
    let flags = ["-q", "--hostname", "web.example.com"];
    let mut process = start(STEP05, &flags, script);
    let line = process.hear();
    let own = address(&process);
    assert!(line.starts_with(&format!("PING web ({own})")), "{line}");
    assert_eq!(process.hear().trim_end(), "web.example.com");
    process.end();
}

#[test]
fn on_the_machines_own_network_its_hosts_are_known() {
    let lab = Lab::new();
    lab.files.cover("/etc/hosts", "203.0.113.5 printer # web\n");
    let hosts = |network: &str| {
        let flags = ["-q", "--network", network, "--hostname", "web"];
        run(STEP05, &[&flags[..], &["cat", "/etc/hosts"]].concat()).stdout
    };
    let machine = "203.0.113.5 printer # web\n127.0.1.1 web\n";
    assert_eq!(hosts("host"), machine);
    assert!(!hosts("none").contains("printer"), "the control");
}
