//! Named volumes of step11, which `clean` leaves where they are: what is in
//! them is not the workshop's, and somebody wanted it to stay.

use std::path::Path;

use nix::unistd::geteuid;
use step11::volume;

use crate::text::{printable, tell};

/// Where root's are, into which nobody else can look.
const ROOTS: &str = "/var/lib/workshop";

/// Names each that stays, with the command that removes it.
pub fn stay() {
    match volume::list() {
        Ok(all) => {
            for (name, path) in all {
                let path = printable(&path);
                tell(format_args!(
                    "the volume {name} stays, in {path}: \
                     step11 volume rm {name} removes it"
                ));
            }
        }
        // Somebody else's, or nobody's: nothing of ours is in there.
        Err(error) => tell(format_args!("left alone: {error:#}")),
    }
    if !geteuid().is_root() && Path::new(ROOTS).exists() {
        tell(format_args!(
            "root's volumes stay, in {ROOTS}: sudo step11 volume ls"
        ));
    }
}
