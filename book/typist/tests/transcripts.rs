//! What the pages show is what the machine answers.
//!
//! Typing the whole book takes the emulated machine ten minutes, so this test
//! types three pages, and `scripts/book replay` all of them.

use nix::sys::prctl::set_child_subreaper;
use typist::book::pages;
use typist::checkout::Checkout;
use typist::page::Place;
use typist::replay::{difference, record};
use witness::Machine;

/// Real files and an ordinary prompt; a container with root's files of its
/// own, seen from a second terminal; and what the picture of terminals shows.
const SAMPLE: [&str; 3] =
    ["steps/step01.md", "start/what-a-container-is.md", "README.md"];

/// Every line of a page.
const ALL: std::ops::Range<usize> = 0..usize::MAX;

#[test]
#[ignore = "types into the virtual machine: scripts/test runs it there"]
fn the_pages_show_what_the_machine_answers() {
    let checkout = Checkout::machine().expect("a checkout");
    let machine = Machine::new();
    // That adopts orphans. On a learner's machine PID 1 does, and reaps them.
    set_child_subreaper(false).expect("leave orphans to PID 1");
    let mut pages = pages().expect("read the book");
    pages.retain(|page| SAMPLE.contains(&page.name.as_str()));
    assert_eq!(pages.len(), SAMPLE.len());
    let mut wrong = Vec::new();
    for page in pages {
        let (recorded, result) =
            record(&page.text, Place::Machine, &checkout, &ALL);
        assert!(!recorded.is_empty(), "{} has transcripts", page.name);
        let failure = result.err().map(|error| format!("{error:#}"));
        let problems = [failure, difference(&page.text, &recorded)];
        let named = |problem| format!("{}: {problem}", page.name);
        wrong.extend(problems.into_iter().flatten().map(named));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    drop(machine);
    // The control: the same eyes see one wrong word.
    let page =
        "```console\n$ cargo run -q -p step01 -- -q hostname\nvm\n```\n";
    let (recorded, result) = record(page, Place::Machine, &checkout, &ALL);
    result.expect("recorded");
    let found = difference(page, &recorded).expect("a difference");
    assert!(found.contains("+box"), "{found}");
}
