//! The command line, as engines use it.

use clap::Parser;

/// What `--version` prints after the name: engines look for these words.
const VERSION: &str =
    concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0");

/// Reads it. Only this rung tells more with `--version` than its number.
pub fn arguments<A: Parser>(rung: &'static str) -> A {
    let command = A::command().name(rung).version(VERSION);
    let mut matches = command.get_matches();
    A::from_arg_matches_mut(&mut matches).unwrap_or_else(|it| it.exit())
}
