//! A hundred containers at once, and none is in another's way.

use std::collections::BTreeSet;
use std::thread;

use witness::{Running, start};

use crate::STEP05;
use crate::lab::{Lab, address, is_forwarding};

/// WORKSHOP_CROWD makes it smaller where a hundred would take too long.
fn size() -> usize {
    let wanted = std::env::var("WORKSHOP_CROWD").ok();
    wanted.map_or(100, |number| number.parse().expect("a number"))
}

#[test]
fn a_hundred_at_once_have_their_own_addresses_and_cables() {
    let _lab = Lab::new();
    let script = "set -- $(ip route); \
        ping -q -c 1 -W 20 $3 >/dev/null 2>&1 && echo there || echo lost";
    let mut crowd: Vec<Running> = thread::scope(|scope| {
        let start = || start(STEP05, &["-q"], script);
        let all: Vec<_> = (0..size()).map(|_| scope.spawn(start)).collect();
        all.into_iter().map(|one| one.join().expect("a container")).collect()
    });
    for process in &mut crowd {
        assert_eq!(process.hear(), "there");
    }
    let addresses: BTreeSet<_> = crowd.iter().map(address).collect();
    assert_eq!(addresses.len(), size(), "{addresses:?}");
    assert!(is_forwarding("uplink"));
    thread::scope(|scope| {
        for process in crowd {
            scope.spawn(|| assert_eq!(process.end().status, 0));
        }
    });
    assert!(!is_forwarding("uplink"));
}
