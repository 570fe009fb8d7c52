//! What an image says for those who say nothing: with which variables, in
//! which folder and as whom its program runs, and which program that is.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::Args;
use crate::imported::{self, Configuration};

/// Fills in what the flags leave open by what the image says that they name,
/// the topmost if they name several. Its user is kept for the rung that can
/// change to another.
///
/// # Errors
/// As [`imported::find`].
pub fn defaults(
    args: &mut Args,
    process: &mut step00::Args,
    root: &mut step03::Args,
) -> Result<()> {
    let image = args.image.last().and_then(|image| image.to_str());
    let image = image.map(imported::find).transpose()?.flatten();
    let said = image.map(|image| image.record.config).unwrap_or_default();
    let variables = said.env.iter().flatten();
    root.default_env = variables
        .filter_map(|variable| {
            let (key, value) = variable.split_once('=')?;
            Some((key.into(), Some(value.into())))
        })
        .collect();
    if root.workdir.is_none() {
        let folder = said.working_dir.as_deref();
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        root.workdir = folder.map(|folder| Path::new("/").join(folder));
    }
    process.command = command(args, &said, &process.command);
    args.default_user = said.user.filter(|user| !user.is_empty());
    Ok(())
}

/// The entrypoint, and what follows it: what was asked for, else the image's
/// own command. Whoever asks for another entrypoint does not mean that one.
fn command(
    args: &Args,
    said: &Configuration,
    asked: &[OsString],
) -> Vec<OsString> {
    let words = |words: &Option<Vec<String>>| -> Vec<OsString> {
        words.iter().flatten().map(OsString::from).collect()
    };
    let (mut command, rest) = match &args.entrypoint {
        None => (words(&said.entrypoint), words(&said.cmd)),
        Some(none) if none.is_empty() => (Vec::new(), Vec::new()),
        Some(program) => (vec![program.clone()], Vec::new()),
    };
    match asked.is_empty() {
        true => command.extend(rest),
        false => command.extend_from_slice(asked),
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_executed_is_what_docker_would_execute() {
        let both = Configuration {
            entrypoint: Some(vec!["/start".into()]),
            cmd: Some(vec!["-d".into()]),
            ..Configuration::default()
        };
        let one = Configuration { entrypoint: None, ..both.clone() };
        for (said, entrypoint, asked, expected) in [
            (&both, None, "", "/start -d"),
            (&both, None, "-x", "/start -x"),
            (&both, Some("sh"), "", "sh"),
            (&both, Some("sh"), "-c", "sh -c"),
            (&both, Some(""), "ls", "ls"),
            (&one, None, "", "-d"),
            (&one, None, "ls /", "ls /"),
        ] {
            let args = Args {
                image: Vec::new(),
                upper: None,
                changes: false,
                default_user: None,
                entrypoint: entrypoint.map(OsString::from),
            };
            let asked = asked.split_whitespace().map(OsString::from);
            let asked: Vec<OsString> = asked.collect();
            let expected: Vec<&str> = expected.split(' ').collect();
            assert_eq!(command(&args, said, &asked), expected);
        }
    }
}
