//! `step11 images`: which images there are to run.

use anyhow::Result;
use step00::Ending;
use step04::imported::{self, Imported};

use crate::ps::name_width;

/// The flags of `images`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Prints a line for each.
///
/// # Errors
/// As [`imported::all`].
pub fn images(args: &Args) -> Result<Ending> {
    let images = imported::all()?;
    let text: String = match args.quiet {
        true => {
            images.iter().map(|image| format!("{}\n", image.name)).collect()
        }
        false => table(&images),
    };
    step00::print(&text)?;
    if images.is_empty() && !args.quiet {
        step00::epilogue("cargo workshop rootfs docker://NAME brings one in");
    }
    Ok(Ending::Exited(0))
}

fn table(images: &[Imported]) -> String {
    let width = name_width(images.iter().map(|image| &*image.name));
    let row = |[name, layers, command, from]: [&str; 4]| {
        format!("{name:<width$} {layers:<7} {command:<27} {from}\n")
    };
    let header = row(["NAME", "LAYERS", "COMMAND", "FROM"]);
    let line = |image: &Imported| {
        let said = &image.record.config;
        let words = [&said.entrypoint, &said.cmd];
        let words = words.into_iter().flatten().flatten();
        let command: Vec<&str> = words.map(String::as_str).collect();
        let from = image.record.reference.as_deref().unwrap_or("-");
        let layers = image.layers.len().to_string();
        // An image is a stranger's, and its words may hold anything.
        let shown = |text: &str| text.escape_debug().to_string();
        let command = crate::ps::cut(&shown(&command.join(" ")), 27);
        row([&image.name, &layers, &command, &shown(from)])
    };
    header + &images.iter().map(line).collect::<String>()
}
