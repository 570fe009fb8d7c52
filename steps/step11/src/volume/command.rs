//! `step11 volume`: named volumes, which no container takes along at its end.

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use step00::{Advice, Ending};
use step06::Maps;

use super::{find_or_make, list, name_in, remove};
use crate::exec::recorded;
use crate::folder::parse_name;
use crate::ps::name_width;
use crate::record;

/// What can be done with volumes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List them, with the containers that have them
    Ls {
        /// Your own, of `run --rootless`, and not root's
        #[arg(long)]
        rootless: bool,
        /// Print names only
        #[arg(short, long)]
        quiet: bool,
    },
    /// Make one (`run --volume NAME:/PATH` does so too)
    Create {
        /// Your own, of `run --rootless`, and not root's
        #[arg(long)]
        rootless: bool,
        /// What it is called
        #[arg(value_parser = parse_name)]
        name: String,
    },
    /// Remove them, with all that is in them
    Rm {
        /// Your own, of `run --rootless`, and not root's
        #[arg(long)]
        rootless: bool,
        /// The volumes, by name
        #[arg(required = true, value_name = "NAME", value_parser = parse_name)]
        names: Vec<String>,
    },
}

/// Does it.
///
/// # Errors
/// When there is none of that name, or a container on record has it.
pub fn run(command: &Command) -> Result<Ending> {
    match command {
        Command::Ls { quiet, .. } => step00::print(&table(*quiet)?),
        Command::Create { name, rootless } => {
            find_or_make(name, &maps(*rootless)?)?;
            step00::print(&format!("{name}\n"))
        }
        Command::Rm { names, rootless } => {
            for name in names {
                forget(name, *rootless)
                    .with_context(|| format!("remove the volume {name}"))?;
                step00::print(&format!("{name}\n"))?;
            }
            Ok(Ending::Exited(0))
        }
    }
}

/// The users that a container has when nothing else is said.
pub(super) fn maps(rootless: bool) -> Result<Maps> {
    let (uid_map, gid_map) = (Vec::new(), Vec::new());
    Maps::choose(&step06::Args { uid_map, gid_map, rootless })
}

fn table(quiet: bool) -> Result<String> {
    let all = list()?;
    if quiet {
        return Ok(all.iter().map(|(name, _)| format!("{name}\n")).collect());
    }
    let width = name_width(all.iter().map(|(name, _)| &**name));
    let mut text = format!("{:<width$} {:<20} PATH\n", "NAME", "CONTAINERS");
    for (name, path) in all {
        let users = match users(&name)? {
            users if users.is_empty() => "-".into(),
            users => users.join(","),
        };
        text += &format!("{name:<width$} {users:<20} {}\n", path.display());
    }
    Ok(text)
}

/// The containers on record that have it, whether they run or not.
fn users(name: &str) -> Result<Vec<String>> {
    let mut users = Vec::new();
    for state in record::list()? {
        // What cannot be read any more has nothing that could be counted.
        let Ok(run) = recorded(&state) else { continue };
        let mut names = run.root.volume.iter().filter_map(name_in);
        if names.any(|its| its == name) {
            users.push(state.name);
        }
    }
    Ok(users)
}

fn forget(name: &str, rootless: bool) -> Result<()> {
    if let [first, ..] = &users(name)?[..] {
        return Err(anyhow!("{first} has it"))
            .advice(format!("step11 rm --force {first} comes first"));
    }
    if !list()?.iter().any(|(its, _)| its == name) {
        return Err(anyhow!("there is none"))
            .advice("step11 volume ls lists them (of root, or --rootless)");
    }
    remove::remove(name, rootless)
}
