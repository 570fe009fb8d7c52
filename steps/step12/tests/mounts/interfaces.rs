//! Interfaces that the machine gives away, and the container's own.

use nix::sched::{CloneFlags, setns, unshare};
use serde_json::json;
use std::fs::File;
use witness::{command, need, output};

use crate::bundle::Bundle;

/// A network namespace for the calling thread alone, and what it starts.
struct Alone(File);

impl Alone {
    fn new() -> Alone {
        need("ip");
        let home = File::open("/proc/thread-self/ns/net").expect("find it");
        unshare(CloneFlags::CLONE_NEWNET).expect("a test needs root");
        Alone(home)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("go home");
    }
}

fn ip(words: &str) -> String {
    let output = output(command("ip").args(words.split(' ')));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const LIST: &str = "cd /sys/class/net; for it in *; do \
     echo $it $(cat $it/mtu) $(($(cat $it/flags) & 1)); done";

#[test]
fn an_interface_moves_in_with_its_name_and_properties() {
    let mut bundle = Bundle::new();
    let _alone = Alone::new();
    ip("link add one type veth peer name two");
    ip("link set one mtu 1400 up");
    for address in ["10.9.8.7/24", "fd00::7/64"] {
        ip(&format!("addr add {address} dev one"));
    }
    bundle.config["linux"]["netDevices"] =
        json!({ "one": { "name": "inside" }, "two": { "name": "eth%d" } });
    let script = format!(
        "{LIST}; cat /proc/net/fib_trie | grep -c 10.9.8.7; \
         grep -c '^fd000000000000000000000000000007.*inside' /proc/net/if_inet6"
    );
    let lines = bundle.lines(&script);
    assert_eq!(lines[..3], ["eth0 1500 1", "inside 1400 1", "lo 65536 1"]);
    assert_ne!(lines[3], "0");
    assert_eq!(lines[4], "1");
    let left = ip("-o link");
    assert!(!left.contains("one") && !left.contains("two"), "{left}");
}

#[test]
fn a_name_that_is_taken_or_missing_or_none_is_an_error() {
    let mut bundle = Bundle::new();
    let _alone = Alone::new();
    ip("link add one type veth peer name two");
    for (name, new_name, why) in [
        ("one", "lo", "file exists"),
        ("none", "none", "no such device"),
        ("lo", "lo1", "invalid argument"),
        ("one", "a/b", "\"a/b\" is no name of an interface"),
        ("one", "sixteen-letters-", "is no name of an interface"),
    ] {
        bundle.config["linux"]["netDevices"] =
            json!({ name: { "name": new_name } });
        let error = bundle.error();
        assert!(error.contains("linux.netDevices"), "{error}");
        assert!(error.contains(why), "{name}: {error}");
    }
    assert!(ip("-o link").contains("one@two"), "it is still here");
}
