//! What the pages show is what the machine answers.

use scribe::book::pages;
use scribe::page::{Place, transcripts};
use scribe::replay::{difference, record};
use scribe::stand::Stand;
use witness::Machine;

#[test]
#[ignore = "types into the virtual machine: scripts/test runs it there"]
fn the_pages_show_what_the_machine_answers() {
    let stand = Stand::machine().expect("a desk");
    let machine = Machine::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages().expect("read the book") {
        count += transcripts(&page.text).map_or(0, |found| found.len());
        let (recorded, result) = record(&page.text, Place::Machine, &stand);
        let failure = result.err().map(|error| format!("{error:#}"));
        let problems = [failure, difference(&page.text, &recorded)];
        let named = |problem| format!("{}: {problem}", page.name);
        wrong.extend(problems.into_iter().flatten().map(named));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "the book has {count} transcripts");
    drop(machine);
    // The control: the same eyes see one wrong word.
    let page =
        "```console\n$ cargo run -q -p step01 -- -q hostname\nvm\n```\n";
    let (recorded, result) = record(page, Place::Machine, &stand);
    result.expect("recorded");
    let found = difference(page, &recorded).expect("a difference");
    assert!(found.contains("+box"), "{found}");
}
