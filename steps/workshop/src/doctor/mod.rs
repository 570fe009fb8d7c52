//! `workshop doctor`: which rungs run on this machine, and what mends the rest.
//!
//! It reads /proc, /sys and a few files beside them, as the learner, and
//! changes nothing. No probe asks for root; where only root could tell, it
//! says so. Each finding has a state, the rungs that it matters to and one
//! command that mends it.
//!
//! - [`finding`] - what a finding is; [`report`] - how all of them are shown.
//! - [`machine`] - the files that are read, below any root: tests lay out bad
//!   machines as folders. [`options`] - what the kernel was built with.
//! - The probes: [`place`] (with [`computer`] and [`container`]), [`kernel`],
//!   [`privilege`], [`namespaces`], [`rootless`], [`files`], [`network`],
//!   [`groups`], [`modules`], [`tools`].
//!
//! Not promised: that a rung runs. Only that nothing is known to prevent it.

mod computer;
mod container;
mod files;
mod finding;
mod groups;
mod kernel;
mod machine;
mod modules;
mod namespaces;
mod network;
mod options;
mod place;
mod privilege;
mod report;
mod rootless;
mod tools;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::rootfs::store::target;
use finding::Finding;
use machine::Machine;
use report::Report;

/// The flags of `workshop doctor`.
#[derive(Debug, Args)]
#[command(override_usage = "cargo workshop doctor [--json]")]
#[command(after_help = "Exit status: 0 when all rungs can run here, else 1.")]
pub struct Doctor {
    /// For programs
    #[arg(long)]
    json: bool,

    /// For tests: read DIR/proc, DIR/sys … instead
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    root: PathBuf,
}

/// Looks at everything. The exit status says whether all rungs can run.
///
/// # Errors
/// There is no /proc.
pub fn run(args: &Doctor, out: &mut impl Write) -> Result<ExitCode> {
    let machine = Machine::open(&args.root, target()?)?;
    let report = Report::new(examine(&machine));
    match args.json {
        true => report.print_json(out)?,
        false => report.print(out)?,
    }
    Ok(match report.is_well() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// All findings, the most fundamental first: the first one that keeps a rung
/// from running is the one to mend.
fn examine(machine: &Machine) -> Vec<Finding> {
    let probes: [fn(&Machine) -> Vec<Finding>; 10] = [
        place::look,
        kernel::look,
        privilege::look,
        namespaces::look,
        rootless::look,
        files::look,
        network::look,
        groups::look,
        modules::look,
        tools::look,
    ];
    probes.iter().flat_map(|probe| probe(machine)).collect()
}
