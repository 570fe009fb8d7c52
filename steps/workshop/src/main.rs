//! The learner's companion: what is not a rung of the ladder but helps to
//! climb it. `cargo workshop …` runs it as the learner, never as root.
//!
//! Exit status: 0 done, 1 an error that was explained (or, from `doctor`, rungs
//! that cannot run), 2 a wrong command line.

mod apparmor;
mod arch;
mod archive;
mod clean;
mod digest;
mod doctor;
mod download;
mod elevate;
mod measure;
mod oci;
mod peek;
mod remove;
mod rootfs;
mod store;
mod unpack;
mod whiteout;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::{Parser, Subcommand};

/// The companion of the workshop Blindfolds & Handcuffs
#[derive(Parser)]
#[command(name = "workshop", version, term_width = 80)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Say which rungs run on this machine, and what mends the rest
    Doctor(doctor::Doctor),
    /// Make a root filesystem, or import an image
    Rootfs(rootfs::Rootfs),
    /// Show which blindfolds, handcuffs and gags any process wears
    Peek(peek::Peek),
    /// Load the AppArmor profile that step10 puts on
    #[command(name = "apparmor")]
    AppArmor(apparmor::AppArmor),
    /// Measure what each rung costs here, beside others who do the same
    Measure(measure::Measure),
    /// Remove what the workshop made: files, groups, the AppArmor profile
    Clean,
}

const OVERVIEW: &str = "\
Blindfolds & Handcuffs: a container is an ordinary process that sees less
(namespaces) and may use less (cgroups). The ladder puts one on at a time:

  cargo run -p step00    a process as it is: it sees the whole building
  cargo run -p step01    … and so on, up to step11

This companion helps on the way:

  cargo workshop doctor          which rungs run here, what mends the rest
  cargo workshop rootfs          make target/rootfs from what is here
  cargo workshop rootfs alpine   or import a real image
  cargo workshop peek --all      who on this machine lives in a container?
  cargo workshop apparmor        load the profile that step10 puts on
  cargo workshop measure         what does each rung cost, on this machine?
  cargo workshop clean           remove what the workshop made

Every command explains itself with --help.
";

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Err(error) if !is_broken_pipe(&error) => {
            // `eprintln!` would panic where stderr is closed.
            let _ = writeln!(io::stderr(), "workshop: {error:#}");
            ExitCode::FAILURE
        }
        // A reader who has seen enough (`| head`) is no error.
        Err(_) => ExitCode::SUCCESS,
        Ok(code) => code,
    }
}

fn run(out: &mut impl Write) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    match Cli::parse().command {
        None => out.write_all(OVERVIEW.as_bytes())?,
        Some(Command::Doctor(args)) => code = doctor::run(&args, out)?,
        Some(Command::Rootfs(args)) => rootfs::run(&args, out)?,
        Some(Command::Peek(args)) => peek::run(&args, out)?,
        Some(Command::AppArmor(args)) => apparmor::run(&args, out)?,
        Some(Command::Measure(args)) => measure::run(&args, out)?,
        Some(Command::Clean) => clean::run(out)?,
    }
    out.flush()?;
    Ok(code)
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    })
}
