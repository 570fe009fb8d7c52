//! What is said of each mistake: the function that made it comes first.

pub const PROPAGATE: &str = "\
    `make_private`: the kernel refuses this change. Its target is \"/\", and \
    its flags are one of the four types, with MS_REC and with no other";
pub const BIND: &str = "\
    `bind_onto_itself`: the kernel refuses this bind. Source and target are \
    both the new root, and its flags are MS_BIND and MS_REC";
pub const UNBINDABLE: &str = "\
    `make_private` makes the mounts unbindable: MS_PRIVATE is the type that \
    lets nothing in and nothing out, and still can be bound";
pub const PROC: &str = "\
    `mount_proc`: the kernel refuses this mount. The target is the argument \
    `proc`, the type is called \"proc\", and the source is just a name";
pub const ENTER: &str = "\
    `pivot` goes to a place that is not there: chdir(2) into the new root \
    first, and to \"/\" at the end";
pub const CHROOT: &str = "\
    `pivot` uses chroot(2), which changes this one process's view, and not \
    the namespace: take pivot_root(2)";
pub const ANOTHER: &str = "\
    `bind_onto_itself` binds something else than the new root onto it: \
    source and target are the same here";
pub const SHARED: &str = "\
    `make_private` must make every mount private (MS_REC | MS_PRIVATE): \
    pivot_root(2) refuses to work among shared ones";
pub const NO_MOUNT: &str = "\
    `bind_onto_itself` must make the new root a mount: pivot_root(2) \
    exchanges mounts, not folders";
pub const NOT_ENTERED: &str = "\
    `pivot` has to go into the new root before it pivots: chdir(2), or \".\" \
    is still somewhere on the machine";
pub const ARGUMENTS: &str = "\
    `pivot` names the wrong places: the first argument of pivot_root(2) is \
    the new root, the second a folder in it. With \".\" for both no folder \
    is needed";
pub const PIVOT: &str = "\
    `pivot`: the kernel refuses pivot_root(2), though the new root is a \
    mount and none is shared: is it called twice?";
pub const NOT_LAZY: &str = "\
    `pivot`: the old root is busy; umount2(2) takes it away all the same \
    with MNT_DETACH";
pub const TOO_EARLY: &str = "\
    `pivot` unmounts before it has pivoted, or after it has gone elsewhere: \
    right after pivot_root(2), \".\" is the old root";
pub const OTHER_NAME: &str = "\
    `pivot` unmounts by another name than \".\", which is the old root right \
    after pivot_root(2)";
