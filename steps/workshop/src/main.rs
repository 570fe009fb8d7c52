//! `cargo workshop`: see the library beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    workshop::main()
}
