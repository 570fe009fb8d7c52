//! step11: several containers, and a way back into each.

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use step00::{Ending, ExitCode, Result};
use step11::{commands, end, exec, inspect, ps, run, stats};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Runs containers, and walks back into them
#[derive(Parser)]
#[command(arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a command in a new container
    Run(Box<step11::Run>),
    /// Run one more command in a container that runs
    Exec(exec::Args),
    /// List containers
    Ps(ps::Args),
    /// Show what they use of what they may use
    Stats(stats::Args),
    /// Print what a detached container has printed
    Logs(end::Logs),
    /// End containers: SIGTERM, and after a while SIGKILL
    Stop(end::Stop),
    /// Forget containers that have ended
    Rm(end::Remove),
    /// Print all that is known of containers, as JSON
    Inspect(inspect::Args),
    #[command(flatten)]
    Other(commands::Command),
    /// Print what completes these commands in a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step00::arguments_with(NAME, step11::advise)))
}

// ANCHOR: commands
fn run(args: Args) -> Result<Ending> {
    match args.command {
        Command::Run(args) => {
            let args = args.settle().with_image()?;
            args.explain(run::run(NAME, &args))
        }
        Command::Exec(args) => exec::exec(NAME, &args),
        Command::Ps(args) => ps::ps(&args),
        Command::Stats(args) => stats::stats(&args),
        Command::Logs(args) => end::logs(&args),
        Command::Stop(args) => end::stop(&args),
        Command::Rm(args) => end::remove(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Other(command) => commands::run(NAME, command),
        Command::Completions { shell } => complete(shell),
    }
}
// ANCHOR_END: commands

fn complete(shell: Shell) -> Result<Ending> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut text);
    step00::print(&String::from_utf8_lossy(&text))
}
