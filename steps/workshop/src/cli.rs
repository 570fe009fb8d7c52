//! The command line of the companion.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result, bail};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::check::built::{self, AttemptArgs};
use crate::check::command::{self, Check};
use crate::ladder::{self, Repository};
use crate::learn::{hint, overview, reset, solution, start};
use crate::text::{columns, tell};
use crate::{
    apparmor, challenge, class, clean, doctor, measure, peek, rootfs,
};

/// The companion of the workshop Blindfolds & Handcuffs
#[derive(Parser)]
#[command(name = "workshop", bin_name = "cargo workshop")]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// The sources, if not those that this was built from
    #[arg(long, global = true, hide = true, value_name = "FOLDER")]
    repository: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Say what to read and write on a rung; give half of it for a short
    /// lesson
    Start(start::Start),
    /// Try a rung with your code, and look from outside at what happened
    Check(Check),
    /// The part of `check` that starts the rung, as root if need be
    #[command(hide = true)]
    Attempt(AttemptArgs),
    /// Give a hint for an exercise; one more each time
    Hint(hint::Hint),
    /// Show the reference solution, after a try
    Solution(solution::Solution),
    /// Bring an exercise back as it came, and keep what was there
    Reset(reset::Reset),
    /// More to do, beyond the exercises: list it, tell it, try it
    Challenge(challenge::Args),
    /// Show who of a class stands where, or hand in your own progress
    Class(class::Class),
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
    /// Print the rungs, a line for each, for scripts
    #[command(hide = true)]
    Ladder,
    /// Print what completes the commands of `workshop` in a shell
    ///
    /// For bash: cargo workshop completions bash >>~/.bash_completion. It
    /// completes the name under which `cargo install` installs it, `workshop`.
    #[command(verbatim_doc_comment)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// The part of `clean` that looks into root's folder, as root
    #[command(hide = true)]
    Forget { base: PathBuf },
    /// Remove what the workshop made: files, groups, the AppArmor profile (not
    /// step11's volumes, which it names)
    Clean,
}

/// The Linux in the book's page has neither cargo nor the sources: what takes
/// them is not built in there, and says so.
const HAS_CARGO: bool = !cfg!(feature = "in-page");

/// Runs the companion; see the crate for its exit status.
#[must_use]
pub fn main() -> ExitCode {
    step00::narrator::choose_colour(&io::stdout());
    let matches = Cli::command().term_width(columns()).try_get_matches();
    let cli = match matches.and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli, &mut io::stdout().lock()) {
        Err(error) if !is_broken_pipe(&error) => {
            tell(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
        // A reader who has seen enough (`| head`) is no error.
        Err(_) => ExitCode::SUCCESS,
        Ok(code) => code,
    }
}

/// A wrong command line, or a wish for help: help that nobody gets is an
/// error as well (`ENOSPC` on a full disk).
fn refuse(error: &clap::Error) -> ExitCode {
    match error.print() {
        _ if error.use_stderr() => ExitCode::from(2),
        Err(io) if io.kind() != io::ErrorKind::BrokenPipe => {
            tell(format_args!("print the help: {io}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn run(cli: Cli, out: &mut impl Write) -> Result<ExitCode> {
    let Cli { command, repository } = cli;
    let repository = Repository::open(repository);
    let mut code = ExitCode::SUCCESS;
    match command {
        Some(Command::Doctor(args)) => code = doctor::run(&args, out)?,
        Some(Command::Rootfs(args)) => rootfs::run(&args, out)?,
        Some(Command::Peek(args)) => peek::run(&args, out)?,
        Some(Command::AppArmor(args)) => apparmor::run(&args, out)?,
        Some(Command::Ladder) => ladder::print(out)?,
        Some(Command::Completions { shell }) => {
            let mut cli = Cli::command().bin_name("workshop");
            // It panics where it cannot write, and memory takes all of it.
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut cli, "workshop", &mut text);
            out.write_all(&text)?;
        }
        Some(Command::Forget { base }) => clean::forget(&base, out)?,
        Some(Command::Clean) => clean::run(out)?,
        learner if HAS_CARGO => code = learn(learner, &repository, out)?,
        _ => bail!(
            "this takes cargo and the sources, and the page has neither\n  \
             try: a clone of the repository, on a Linux of your own"
        ),
    }
    out.flush()?;
    Ok(code)
}

/// What is done with the learner's own code, and measuring.
fn learn(
    command: Option<Command>,
    repository: &Repository,
    out: &mut impl Write,
) -> Result<ExitCode> {
    match command {
        Some(Command::Start(args)) => start::run(&args, repository, out)?,
        Some(Command::Challenge(args)) => {
            challenge::run(&args, repository, out)?;
        }
        Some(Command::Class(args)) => class::run(&args, repository, out)?,
        Some(Command::Check(args)) => command::run(&args, repository, out)?,
        Some(Command::Attempt(args)) => return built::run_attempt(&args, out),
        Some(Command::Hint(args)) => hint::run(&args, repository, out)?,
        Some(Command::Solution(args)) => {
            solution::run(&args, repository, out)?;
        }
        Some(Command::Reset(args)) => reset::run(&args, repository, out)?,
        Some(Command::Measure(args)) => measure::run(&args, out)?,
        _ => overview::run(repository, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn is_broken_pipe(error: &Error) -> bool {
    let mut causes = error.chain();
    causes.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    })
}
