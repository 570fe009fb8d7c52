//! The flags of `exec`, and what they change of config.json's words.

use std::path::PathBuf;

use anyhow::Result;

use crate::config::{Config, Process};
use crate::flags::Caller;

/// The flags of `exec`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub caller: Caller,

    /// Leave the process running
    #[arg(short, long)]
    pub detach: bool,

    /// Also in a container that is paused: it goes on when that does
    #[arg(long)]
    pub ignore_paused: bool,

    /// A file with the `process` of config.json, in place of the rest
    #[arg(short, long, value_name = "FILE")]
    pub process: Option<PathBuf>,

    /// A terminal of its own
    #[arg(short, long)]
    pub tty: bool,

    /// The folder in which it starts [default: that of config.json]
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<String>,

    /// Set a variable, beside those of config.json
    #[arg(short, long, value_name = "K=V")]
    pub env: Vec<String>,

    /// Who runs it, by numbers [default: whom config.json names]
    #[arg(short, long, value_name = "UID[:GID]", value_parser = parse_user)]
    pub user: Option<(u32, u32)>,

    /// A group beside
    #[arg(short = 'g', long, value_name = "GID")]
    pub additional_gids: Vec<u32>,

    /// The context of SELinux
    #[arg(long, value_name = "LABEL")]
    pub process_label: Option<String>,

    /// The profile of AppArmor
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,

    /// Programs give no powers
    #[arg(long)]
    pub no_new_privs: bool,

    /// A capability more
    #[arg(short, long, value_name = "NAME")]
    pub cap: Vec<String>,

    /// In which of the container's groups: / is the only one
    #[arg(long, value_name = "PATH")]
    pub cgroup: Vec<String>,

    /// The container
    #[arg(value_name = "ID")]
    pub id: String,

    /// The command, and its arguments
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

fn parse_user(text: &str) -> Result<(u32, u32), String> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, "0"));
    let number = |text: &str| text.parse().map_err(|_| "write UID[:GID]");
    Ok((number(uid)?, number(gid)?))
}

impl Args {
    /// What is to be executed: the file's words, or config.json's with some
    /// of the flags'.
    ///
    /// # Errors
    /// As for [`Process::read`].
    pub(super) fn process(&self, config: &Config) -> Result<Process> {
        if let Some(path) = &self.process {
            let mut process = Process::read(path)?;
            process.terminal |= self.tty;
            return Ok(process);
        }
        let mut process = config.process.clone().unwrap_or_default();
        process.args = self.command.clone();
        process.terminal = self.tty;
        process.env.extend(self.env.iter().cloned());
        process.no_new_privileges |= self.no_new_privs;
        if let Some(cwd) = &self.cwd {
            process.cwd = cwd.clone();
        }
        if let Some((uid, gid)) = self.user {
            process.user.uid = uid;
            process.user.gid = gid;
            process.user.additional_gids.clear();
        }
        process.user.additional_gids.extend(&self.additional_gids);
        if let Some(profile) = &self.apparmor {
            process.apparmor_profile = Some(profile.clone());
        }
        if let Some(label) = &self.process_label {
            process.selinux_label = Some(label.clone());
        }
        let capabilities = process.capabilities.get_or_insert_default();
        let sets = [
            &mut capabilities.bounding,
            &mut capabilities.effective,
            &mut capabilities.permitted,
        ];
        sets.into_iter().for_each(|set| set.extend(self.cap.iter().cloned()));
        process.check()?;
        Ok(process)
    }
}
