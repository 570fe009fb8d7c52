//! Root's powers are left behind, in five steps whose order is the lesson.

use anyhow::Result;
use step00::Advice;

use crate::capabilities::{Set, Wanted};
use crate::identity::{Identity, remember_home};
use crate::{Args, User, labels, privileges};

// ANCHOR: strip
/// Inside, last of all: leaves the powers behind.
///
/// Before that it looks for the user, whom only the image's files know.
///
/// 1. The limits of each process, which anybody may lower.
/// 2. The bounding set, as long as CAP_SETPCAP is there to do it.
/// 3. The user, as long as CAP_SETUID and CAP_SETGID are.
/// 4. The capabilities themselves.
/// 5. no_new_privs, and the label: they take no capability.
///
/// # Errors
/// When there is no user or group of that name; EPERM when a limit would be
/// raised, EINVAL when the user is not in the map of the user namespace, and
/// when a label is refused.
pub fn strip(args: &Args) -> Result<()> {
    remember_home(args.user.as_ref());
    let user = args.user.as_ref().map(User::find).transpose()?;
    for limit in &args.rlimit {
        limit.set()?;
    }
    let kept = Set::choose(&args.cap_add, &args.cap_drop);
    privileges::limit_bounding(kept)?;
    match &user {
        Some(user) if user.uid != 0 => become_other(user, args)?,
        Some(user) => {
            become_user(user)?;
            privileges::set_capabilities(kept, Set::NONE)?;
        }
        None => privileges::set_capabilities(kept, Set::NONE)?,
    }
    if !args.new_privs {
        privileges::forbid_new_privileges()?;
    }
    labels::set(args)
}
// ANCHOR_END: strip

/// Another user has none of root's powers, except those asked for by name. To
/// survive execve(2) they have to be ambient.
fn become_other(user: &Identity, args: &Args) -> Result<()> {
    let asked = Set::choose(&args.cap_add, &[Wanted::ALL]);
    nix::sys::prctl::set_keepcaps(true)?;
    become_user(user)?;
    privileges::set_capabilities(asked, asked)
}

fn become_user(user: &Identity) -> Result<()> {
    step06::user::become_user(user.uid, user.gid, &user.groups)
        .advice("only users of the map exist in here; see --uid-map")
}
