//! The command line, as far as all rungs share it.

use std::ffi::OsString;
use std::io::ErrorKind;

use clap::error::ErrorKind::{
    DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, UnknownArgument,
};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Parser};

/// All packages of the workshop have one version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every rung understands.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "step00: the process")]
#[group(skip)]
pub struct Args {
    /// Do not print the ledger: what the process can see and use
    #[arg(short, long)]
    pub quiet: bool,

    /// The command to run, and its arguments [default: an interactive /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Says what to use in place of a word that clap has refused: a flag as it was
/// typed, or a subcommand.
pub type Advise = fn(&clap::Error, &str) -> Option<String>;

/// Reads the command line of a rung.
///
/// `-h` shows the flags that are new on this rung, `--help` those of the rungs
/// below it as well: a flag belongs to the rung that its heading names.
pub fn arguments<A: Parser>(rung: &'static str) -> A {
    arguments_with(rung, |_, _| None)
}

/// The same for a rung that knows words which others expect here.
pub fn arguments_with<A: Parser>(rung: &'static str, advise: Advise) -> A {
    let command =
        || A::command().name(rung).version(VERSION).propagate_version(true);
    let matches = command().try_get_matches();
    let matches = match matches.as_ref().map_err(clap::Error::kind) {
        // Once more, for what only help shows.
        Err(DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand) => {
            shorten(command(), rung)
                .mut_subcommands(|command| shorten(command, rung))
                .try_get_matches()
        }
        _ => matches,
    };
    let parsed = matches.and_then(|mut m| A::from_arg_matches_mut(&mut m));
    parsed.unwrap_or_else(|error| refuse(advised(error, advise)))
}

/// The error with a tip that helps. Of its own clap says how to pass an unknown
/// flag on as the command itself, which nobody wants, and it takes any word
/// that looks alike for what was meant.
fn advised(mut error: clap::Error, advise: Advise) -> clap::Error {
    use ContextKind::{
        InvalidArg, InvalidSubcommand, Suggested, SuggestedArg,
        SuggestedSubcommand,
    };
    error.remove(Suggested);
    let word = match error.kind() {
        // What is no flag is one word too many, and nothing that others have.
        UnknownArgument => error.get(InvalidArg).filter(|word| is_flag(word)),
        _ => error.get(InvalidSubcommand),
    };
    let Some(ContextValue::String(word)) = word else { return error };
    if let Some(advice) = advise(&error, word) {
        error.remove(SuggestedArg);
        error.remove(SuggestedSubcommand);
        let advice = ContextValue::StyledStrs(vec![advice.into()]);
        error.insert(Suggested, advice);
    }
    error
}

fn is_flag(word: &ContextValue) -> bool {
    matches!(word, ContextValue::String(word) if word.starts_with('-'))
}

/// Ends with clap's words and status: 2, or 0 where help was asked for. Help
/// that cannot be printed (`ENOSPC` on /dev/full) is an error of ours: 125.
fn refuse(error: clap::Error) -> ! {
    let printed = error.print();
    let is_lost = printed.is_err_and(|io| io.kind() != ErrorKind::BrokenPipe);
    std::process::exit(match is_lost && !error.use_stderr() {
        true => 125,
        false => error.exit_code(),
    })
}

/// Leaves only what is new on this rung in the short help. A command without
/// anything of the rungs below has nothing to be shortened.
fn shorten(command: Command, rung: &'static str) -> Command {
    let is_old = |argument: &Arg| {
        let heading = argument.get_help_heading().unwrap_or_default();
        heading.starts_with("step")
            && !heading.starts_with(rung)
            && !argument.is_positional()
    };
    let heading = |argument: &Arg| argument.get_help_heading().is_some();
    if !command.get_arguments().any(heading) {
        return command;
    }
    command
        .after_help("--help explains the flags of the rungs below, too.")
        .after_long_help("")
        .mut_args(|argument| {
            let is_old = is_old(&argument);
            argument.hide_short_help(is_old)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_has_what_is_new() {
        let heading = |name: &'static str, heading: &'static str| {
            Arg::new(name).long(name).help_heading(heading)
        };
        let command = Command::new("step02")
            .arg(heading("old", "step00: a"))
            .arg(heading("new", "step02: b"))
            .arg(heading("other", "Options"))
            .arg(Arg::new("command").help_heading("step00: a"));
        let short = shorten(command.clone(), "step02");
        let is_hidden = |command: &Command, name: &str| {
            let mut all = command.get_arguments();
            let found = all.find(|it| it.get_id() == name);
            found.expect(name).is_hide_short_help_set()
        };
        let names = ["old", "new", "other", "command"];
        let hidden = names.map(|name| is_hidden(&short, name));
        assert_eq!(hidden, [true, false, false, false]);
        assert!(!is_hidden(&command, "old"), "the control");
        assert!(short.get_after_help().is_some());
        // Where nothing has a heading, nothing is said of other rungs.
        let plain = Command::new("ps").arg(Arg::new("all").long("all"));
        assert!(shorten(plain, "step02").get_after_help().is_none());
    }
}
