//! The flags that all commands share, and those of `create` and `run`.

pub mod log;

mod arguments;
mod caller;

use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::unistd::geteuid;

pub use arguments::arguments;
pub use caller::Caller;

/// Where containers are kept, and who is asked for their groups.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Host {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub log: log::Args,

    /// Where to keep what is known of containers [default: /run/step12]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Have systemd make the groups; cgroupsPath is then SLICE:PREFIX:NAME
    #[arg(long)]
    pub systemd_cgroup: bool,

    /// Accepted, as engines pass it: what may be done is up to the kernel
    #[arg(id = "allow-rootless", long = "rootless", value_name = "BOOL")]
    #[arg(hide = true)]
    rootless: Option<String>,
}

impl Host {
    /// The folder of all containers' folders.
    ///
    /// # Errors
    /// For who is not root and has no XDG_RUNTIME_DIR.
    pub fn root(&self) -> Result<PathBuf> {
        if let Some(root) = &self.root {
            return std::path::absolute(root).context("find --root");
        }
        if geteuid().is_root() {
            return Ok("/run/step12".into());
        }
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime.filter(|path| path.is_absolute());
        let runtime =
            runtime.context("find XDG_RUNTIME_DIR, or use --root")?;
        Ok(runtime.join("step12"))
    }
}

/// The flags of `create`, which `run` has too.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Create {
    /// The folder with config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,

    #[command(flatten)]
    #[allow(missing_docs, reason = "described there")]
    pub caller: Caller,

    /// Change the root without pivot_root(2): for a root in memory
    #[arg(long)]
    pub no_pivot: bool,

    /// Leave the session keyring of the caller
    #[arg(long)]
    pub no_new_keyring: bool,

    /// What the container is to be called
    #[arg(value_name = "ID")]
    pub id: String,
}
