//! Makes one module of each rung's main.rs, and the list of them.
//!
//! They are taken as they are, but for two things: a comment about the whole
//! file cannot stand in a file that is included, and cargo knows only the name
//! of the program that it builds, which is this one.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let steps = Path::new("../../../steps");
    let mut names = Vec::new();
    for entry in fs::read_dir(steps)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if steps.join(&name).join("src/main.rs").exists() {
            names.push(name);
        }
    }
    names.sort();
    let mut modules = String::new();
    let mut list = String::new();
    for name in names {
        let path = steps.join(&name).join("src/main.rs");
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path)?
            .lines()
            .filter(|line| !line.starts_with("//!"))
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
            .replace("env!(\"CARGO_BIN_NAME\")", &format!("\"{name}\""));
        write!(
            modules,
            "mod main_of_{name} {{\n{text}    \
             pub(super) fn start() -> super::ExitCode {{ main() }}\n}}\n"
        )?;
        writeln!(list, "    (\"{name}\", main_of_{name}::start),")?;
    }
    let all = format!("{modules}const PROGRAMS: &[Program] = &[\n{list}];\n");
    let folder = env::var_os("OUT_DIR").ok_or("cargo names no folder")?;
    fs::write(Path::new(&folder).join("programs.rs"), all)?;
    Ok(())
}
