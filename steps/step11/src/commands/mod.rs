//! The commands beside those that start containers and walk into them: what
//! else hands expect of a program that runs containers.
//!
//! - [`again`], [`kill`], [`pause`], [`wait`], [`rename`], [`prune`] - the life
//!   of containers.
//! - [`top`], [`port`], [`template`], [`tail`] - looking at them.

pub mod again;
pub mod kill;
pub mod pause;
pub mod port;
pub mod prune;
pub mod rename;
pub mod tail;
pub mod template;
pub mod top;
pub mod wait;

use clap::Subcommand;
use step00::{Ending, Result};

use crate::{Names, copy, images, update, volume};

/// One of them, with its flags.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy files into a container that runs, or out of it
    Cp(copy::Args),
    /// Give containers that run other limits
    Update(update::Args),
    /// Start containers that have ended once more, with the same flags
    Start(again::Start),
    /// Stop containers, and start them once more
    Restart(again::Restart),
    /// Send a signal to the first process of containers
    Kill(kill::Args),
    /// Freeze all processes of containers
    Pause(Names),
    /// Let frozen containers go on
    Unpause(Names),
    /// Wait until containers have ended, and print their exit status
    Wait(Names),
    /// List the processes of a container
    Top(top::Args),
    /// Print which ports of the machine lead into a container
    Port(port::Args),
    /// Give a container another name
    Rename(rename::Args),
    /// Forget all containers that have ended
    Prune(prune::Args),
    /// List imported images, which `run` takes by name
    Images(images::Args),
    /// Folders that stay when their containers are gone
    #[command(subcommand)]
    Volume(volume::Command),
    /// Print the version
    Version,
}

/// Does what it says, as this rung.
///
/// # Errors
/// Those of the command.
pub fn run(rung: &'static str, command: Command) -> Result<Ending> {
    match command {
        Command::Cp(args) => copy::copy(&args),
        Command::Update(args) => update::update(&args),
        Command::Start(args) => again::start(rung, &args),
        Command::Restart(args) => again::restart(rung, &args),
        Command::Kill(args) => kill::kill(&args),
        Command::Pause(names) => pause::pause(&names, true),
        Command::Unpause(names) => pause::pause(&names, false),
        Command::Wait(names) => wait::wait(&names),
        Command::Top(args) => top::top(&args),
        Command::Port(args) => port::port(&args),
        Command::Rename(args) => rename::rename(&args),
        Command::Prune(args) => prune::prune(&args),
        Command::Images(args) => images::images(&args),
        Command::Volume(command) => volume::run(&command),
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            step00::print(&format!("{rung} {version}\n"))
        }
    }
}
