//! The command line, as far as all rungs share it.

use std::ffi::OsString;

use clap::{Arg, Parser};

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

/// Reads the command line of a rung.
///
/// `-h` shows the flags that are new on this rung, `--help` those of the rungs
/// below it as well: a flag belongs to the rung that its heading names.
pub fn arguments<A: Parser>(rung: &'static str) -> A {
    let command = A::command()
        .name(rung)
        .after_help("--help explains the flags of the rungs below, too.")
        .after_long_help("")
        .mut_args(|argument| {
            let is_new = is_new_on(rung, &argument);
            argument.hide_short_help(!is_new)
        });
    let mut matches = command.get_matches();
    A::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
}

fn is_new_on(rung: &str, argument: &Arg) -> bool {
    let heading = argument.get_help_heading().unwrap_or_default();
    heading.starts_with(rung) || argument.is_positional()
}
