//! step12: the container that Docker, Podman, containerd and Kubernetes start.

use clap::{Parser, Subcommand};
use step00::{Ending, ExitCode, Result};
use step12::flags::Host;
use step12::{end, events, exec, features, group, show, spec, start};

const NAME: &str = env!("CARGO_BIN_NAME");

/// Makes containers out of OCI bundles, for engines and for you
#[derive(Parser)]
#[command(arg_required_else_help = true)]
struct Args {
    #[command(flatten)]
    host: Host,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a container that waits, with everything put on
    Create(step12::flags::Create),
    /// Let it execute its program
    Start(group::Name),
    /// Print its state, as JSON
    State(group::Name),
    /// Send it a signal
    Kill(end::Kill),
    /// Forget it, when it has ended
    Delete(end::Delete),
    /// Make it, start it and wait for its end
    Run(start::Run),
    /// Run one more command in it
    Exec(Box<exec::Args>),
    /// List its processes
    Ps(show::Ps),
    /// Freeze its processes
    Pause(group::Name),
    /// Let them go on
    Resume(group::Name),
    /// Change what it may use
    Update(Box<group::Update>),
    /// Tell what it uses, and when memory runs out, as JSON
    Events(events::Args),
    /// List containers
    List(show::List),
    /// Print what this runtime can do, as JSON
    Features,
    /// Write the config.json of what step11 would run
    Spec(spec::Args),
}

fn main() -> ExitCode {
    step00::finish(NAME, || run(step12::arguments(NAME)))
}

// ANCHOR: commands
fn run(Args { host, command }: Args) -> Result<Ending> {
    let done = match command {
        Command::Create(args) => start::make(NAME, &host, &args),
        Command::Start(args) => start::start(&host, &args.id),
        Command::State(args) => show::state(&host, &args),
        Command::Kill(args) => end::kill(&host, &args),
        Command::Delete(args) => end::delete(&host, &args),
        Command::Run(args) => start::run(NAME, &host, &args),
        Command::Exec(args) => exec::exec(NAME, &host, &args),
        Command::Ps(args) => show::ps(&host, &args),
        Command::Pause(args) => group::pause(&host, &args),
        Command::Resume(args) => group::resume(&host, &args),
        Command::Update(args) => group::update(&host, &args),
        Command::Events(args) => events::events(&host, &args),
        Command::List(args) => show::list(&host, &args),
        Command::Features => features::features(),
        Command::Spec(args) => spec::spec(&args),
    };
    done.map_err(|error| host.log.error(&error))
}
// ANCHOR_END: commands
