//! What the book takes from the code is what the code says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use typist::book::{Page, pages, pages_folder, repository};
use typist::{
    clone, diffs, includes, manual, poster, reading, schedule, signals,
    terminals,
};
use workshop::ladder::LADDER;

fn all() -> Vec<Page> {
    let pages = pages().expect("read the book");
    assert!(pages.len() > 20, "there are {} pages", pages.len());
    pages
}

fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "{problems:#?}");
}

const REMEDY: &str = "run: scripts/book record";

#[test]
fn each_rung_has_a_chapter_of_seven_parts() {
    let pages = all();
    let chapters = pages.iter().filter(|page| page.name.starts_with("steps/"));
    let chapters: Vec<&Page> = chapters.collect();
    let names = chapters.iter().map(|page| page.name.clone());
    let rungs = LADDER.iter().map(|rung| format!("steps/{}.md", rung.name()));
    assert_eq!(names.collect::<Vec<_>>(), rungs.collect::<Vec<_>>());
    none(chapters.into_iter().flat_map(schedule::problems).collect());
}

#[test]
fn no_page_sends_a_signal_to_a_stranger() {
    let told = |page: Page| {
        let problems = signals::problems(&page.text).into_iter();
        problems.map(move |problem| format!("{}, {problem}", page.name))
    };
    none(all().into_iter().flat_map(told).collect());
}

#[test]
fn each_piece_that_a_page_includes_is_there() {
    let folder = pages_folder();
    let pieces =
        all().into_iter().flat_map(|page| includes::of(&page, &folder));
    let pieces: Vec<includes::Piece> = pieces.collect();
    assert!(pieces.len() > 20, "there are {}", pieces.len());
    none(pieces.iter().filter_map(includes::problem).collect());
}

#[test]
fn no_anchor_in_the_code_is_without_a_page() {
    let folder = pages_folder();
    let real = |mut piece: includes::Piece| {
        piece.file = fs::canonicalize(&piece.file).unwrap_or(piece.file);
        piece
    };
    let pieces =
        all().into_iter().flat_map(|page| includes::of(&page, &folder));
    let used: BTreeSet<_> = pieces.map(real).collect();
    let there = includes::anchors(&repository()).expect("read the code");
    let there = there.into_iter().map(real);
    let unused = there.filter(|piece| !used.contains(piece));
    none(unused.map(|piece| format!("{piece:?}")).collect());
}

#[test]
fn what_changed_from_rung_to_rung_is_current() {
    let folder = pages_folder().join("generated");
    let diffs = diffs::all(&repository()).expect("compare");
    let names: BTreeSet<_> = diffs.iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"step01.diff".to_owned()), "{names:?}");
    let is_shown = |name: &&String| {
        let page = folder.join("../steps").join(name.replace(".diff", ".md"));
        let page = fs::read_to_string(page).unwrap_or_default();
        page.contains(&format!("generated/{name}}}}}"))
    };
    let unused = names.iter().copied().filter(|name| !is_shown(name));
    none(unused.map(|name| format!("no chapter shows {name}")).collect());
    for (name, now) in &diffs {
        let page = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(now.contains("\n+"), "{name} shows what is new");
        assert_eq!(page, *now, "{name}: {REMEDY}");
    }
}

#[test]
fn links_to_manual_pages_and_schedules_are_current() {
    let pages = all();
    none(pages.iter().flat_map(manual::problems).collect());
    for page in &pages {
        let now = manual::with_links(&page.text);
        let now = reading::with_reading(&now, &pages).expect("a table");
        let now = schedule::with_tables(&now, &pages).expect("it fits");
        assert!(now == page.text, "{}: {REMEDY}", page.name);
    }
}

#[test]
fn a_class_knows_how_long_it_reads_each_page() {
    none(reading::problems(&all(), &reading::AT_HOME));
}

#[test]
fn the_address_of_the_repository_stands_where_it_is_needed() {
    let read = |name: &str| {
        fs::read_to_string(repository().join(name)).expect("read it")
    };
    let manifest = read("Cargo.toml");
    let address = clone::address(&manifest);
    let places =
        ["README.md", "book/src/README.md", "book/src/start/setting-up.md"];
    for name in places {
        let text = read(name);
        assert!(text.contains("<!-- clone -->"), "{name} has no place for it");
        let now = clone::with_clone(&text, address);
        assert!(now == text, "{name}: run: cargo run -p typist -- generate");
    }
}

#[test]
fn the_pictures_that_greet_are_current() {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    for (name, now) in poster::all().expect("make them") {
        assert_eq!(read(&poster::path(name)), now, "{name}: {REMEDY}");
        assert!(now.len() < 20_000, "{name} is large");
        for foreign in ["<script", "@import", "@font-face", "url(", "href"] {
            assert!(!now.contains(foreign), "{name} has {foreign}");
        }
        for readme in ["README.md", "book/src/README.md"] {
            let text = read(&repository().join(readme));
            assert!(text.contains(&format!("generated/{name}\"")), "{readme}");
        }
    }
}

/// The transcript is replayed (transcripts.rs). The picture may leave lines of
/// it out, and must say nothing else.
#[test]
fn the_terminals_say_what_the_transcript_says() {
    let text = fs::read_to_string(pages_folder().join("README.md"));
    let text = text.expect("read the first page").replace('\t', "  ");
    let [_, (_, picture), (_, still)] = poster::all().expect("make them");
    let said = terminals::said(&picture);
    assert!(said.len() > 10, "it says {said:?}");
    let foreign = |line: &&String| {
        let is_there = |its: &str| its.trim_end() == line.trim_end();
        !text.lines().any(is_there) && line.trim() != "…"
    };
    none(said.iter().filter(foreign).cloned().collect());
    assert_eq!(terminals::said(&still), said);
    // The control: another word, and it is seen.
    let wrong = terminals::said(&picture.replace(">box<", ">fox<"));
    assert_eq!(wrong.iter().filter(foreign).count(), 1, "{wrong:?}");
}
