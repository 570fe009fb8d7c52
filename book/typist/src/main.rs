//! `scripts/book` calls this; see there.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use typist::book::{Page, pages, pages_folder, repository};
use typist::checkout::Checkout;
use typist::page::{Place, part, with};
use typist::{clone, diffs, manual, poster, reading, replay, schedule};

/// Keeps the book true
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Type what the pages' transcripts say, and compare the answers
    Replay {
        /// Write the answers into the pages
        #[arg(long)]
        record: bool,
        /// The transcripts marked `host`, on this machine
        #[arg(long)]
        host: bool,
        /// The transcripts marked `docker`, in a machine that has it
        #[arg(long, conflicts_with = "host")]
        docker: bool,
        /// Into terminals that this program leads to, such as those of the
        /// book's page
        #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["host", "docker"])]
        through: Option<PathBuf>,
        /// Only those below this heading, such as "See it"
        #[arg(long, value_name = "HEADING")]
        part: Option<String>,
        /// Pages, such as steps/step03.md; all, if none is named
        page: Vec<String>,
    },
    /// Write what is taken from elsewhere: diffs, links, schedules, pictures
    Generate,
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Replay { record, host, docker, through, part, page } => {
            let place = match (host, docker) {
                (true, _) => Place::Host,
                (_, true) => Place::Docker,
                _ => Place::Machine,
            };
            checkout(place, through).and_then(|checkout| {
                replay(record, place, &checkout, part.as_deref(), &page)
            })
        }
        Task::Generate => generate().map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("typist: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn checkout(place: Place, through: Option<PathBuf>) -> Result<Checkout> {
    match (place, through) {
        (_, Some(program)) => Ok(Checkout::through(program)),
        (Place::Host, _) => Ok(Checkout::host()),
        (Place::Machine | Place::Docker, _) => Checkout::machine(),
    }
}

fn replay(
    is_to_record: bool,
    place: Place,
    checkout: &Checkout,
    heading: Option<&str>,
    names: &[String],
) -> Result<bool> {
    let mut pages = pages()?;
    for name in names {
        let is_there = pages.iter().any(|page| page.name == *name);
        anyhow::ensure!(is_there, "there is no page {name}");
    }
    if !names.is_empty() {
        pages.retain(|page| names.contains(&page.name));
    }
    let mut is_well = true;
    for Page { name, text } in pages {
        eprintln!("typist: {name}");
        let all = 0..text.lines().count();
        let lines = heading.map_or(all, |heading| part(&text, heading));
        let (recorded, result) =
            replay::record(&text, place, checkout, &lines);
        if let Err(error) = result {
            eprintln!("{name}: {error:#}");
            is_well = false;
        }
        if is_to_record {
            let path = pages_folder().join(&name);
            fs::write(&path, with(&text, &recorded))
                .with_context(|| format!("write {}", path.display()))?;
        } else if let Some(found) = replay::difference(&text, &recorded) {
            eprintln!("{name} is not what the machine says:\n{found}");
            is_well = false;
        }
    }
    Ok(is_well)
}

/// Writes the README's share, and returns the address for the pages'.
fn write_clone() -> Result<Option<String>> {
    let manifest = fs::read_to_string(repository().join("Cargo.toml"))
        .context("read Cargo.toml")?;
    let address = clone::address(&manifest);
    let path = repository().join("README.md");
    let text = fs::read_to_string(&path).context("read README.md")?;
    let new = clone::with_clone(&text, address);
    if new != text {
        fs::write(&path, new).context("write README.md")?;
    }
    Ok(address.map(ToOwned::to_owned))
}

fn generate() -> Result<()> {
    let folder = pages_folder();
    for (name, diff) in diffs::all(&repository())? {
        let path = folder.join("generated").join(name);
        fs::write(&path, diff)
            .with_context(|| format!("write {}", path.display()))?;
    }
    for (name, picture) in poster::all()? {
        fs::write(poster::path(name), picture)
            .with_context(|| format!("write {name}"))?;
    }
    let address = write_clone()?;
    let pages = pages()?;
    for Page { name, text } in &pages {
        let linked = manual::with_links(text);
        let linked = clone::with_clone(&linked, address.as_deref());
        let linked = reading::with_reading(&linked, &pages)?;
        let (new, result) = match schedule::with_tables(&linked, &pages) {
            Ok(new) => (new, Ok(())),
            Err(error) => (linked, Err(error)),
        };
        if new != *text {
            fs::write(folder.join(name), new)
                .with_context(|| format!("write {name}"))?;
        }
        result.with_context(|| format!("make the tables of {name}"))?;
    }
    Ok(())
}
