//! What the kernel answers, and the mistake behind it.

use crate::check::Causes;

/// A file of a controller is not there.
pub const NOT_HANDED_ON: &str = "`enable` must write \"+NAME\" for each of the `controllers`, to the \
     cgroup.subtree_control of `group`: this group lacks a controller's \
     files, since its parent has not switched the controllers on";

const SWAPPED: &str = "`limit` has the arguments of `write` in another order: \
                       the group, the file, the text";
const NO_SUCH_FILE: &str = "`limit` writes to a file that a group does not have: memory.max, \
     memory.swap.max, memory.oom.group, cpu.max and pids.max are their names";
const BAD_TEXT: &str = "`limit` writes what this file does not take: `limits` \
                        has a text for each, memory, cpu and pids; and 0 and 1 \
                        are numbers";
const SUBTREE: &str = "`enable` writes to the cgroup.subtree_control of \
                       `group` itself: there is no such file elsewhere, and \
                       none of a similar name";

const TOO_LITTLE: &str = "`limit` has written a limit of memory under which \
                          nothing can start: each text of `limits` belongs \
                          to its own file";

/// The first that fits is it.
pub const CAUSES: &Causes = &[
    (
        &["write \"cgroup."],
        "`enable` has the arguments of `write` in another \
      order: the group, the file, the text",
    ),
    (&["write \"memory."], SWAPPED),
    (&["write \"cpu.max"], SWAPPED),
    (&["write \"pids.max"], SWAPPED),
    (
        &["cgroup.subtree_control", "Invalid argument"],
        "`enable` must write a plus before each controller's name, and each \
         by itself: \"+memory\"",
    ),
    (
        &["cgroup.subtree_control", "busy"],
        "`enable` takes controllers away, or hands them on from a group with \
         processes in it: \"+NAME\", and `group` is the one",
    ),
    (
        &["cgroup.controllers"],
        "`enable`: cgroup.controllers only lists what there is; what the \
         groups below have is written to cgroup.subtree_control",
    ),
    (&["cgroup.subtree"], SUBTREE),
    (&["write \"+"], SUBTREE),
    // What has no controller has none of its files; the kernel makes none.
    (&["memory.max: Permission"], NOT_HANDED_ON),
    (&["memory.oom.group: Permission"], NOT_HANDED_ON),
    (&["cpu.max: Permission"], NOT_HANDED_ON),
    (&["pids.max: Permission"], NOT_HANDED_ON),
    (&["memory.max: No such"], NOT_HANDED_ON),
    (&["memory.oom.group: No such"], NOT_HANDED_ON),
    (&["cpu.max: No such"], NOT_HANDED_ON),
    (&["pids.max: No such"], NOT_HANDED_ON),
    (
        &["memory.swap.max"],
        "`limit`: memory.swap.max is missing where the kernel was built \
         without swap, and then there is nothing to forbid. Where it is, it \
         takes 0",
    ),
    (&["write \"", "Permission"], NO_SUCH_FILE),
    (&["write \"", "No such"], NO_SUCH_FILE),
    (&["write \"", "Invalid argument"], BAD_TEXT),
    (&["write \"", "out of range"], BAD_TEXT),
    (&["killed while it was set up"], TOO_LITTLE),
    (&["OOMKilled"], TOO_LITTLE),
    (
        &["File exists"],
        "`make` makes a group that is there already: once is enough, and its \
         name is `group`",
    ),
    (
        &["Is a directory"],
        "`make` opens the folder for reading, as any file: File::open. A \
         folder cannot be written or created like one",
    ),
    (
        &["busy"],
        "`make` must open the folder of `group` itself: a group that hands \
         controllers on, as its parent does, may have no process in it (EBUSY)",
    ),
    (
        &["Not a directory"],
        "`make` must make a folder with mkdir(2), and open that folder",
    ),
    (
        &["EBADF"],
        "`make` must open the folder of `group` itself: what clone3(2) got is \
         no control group (EBADF)",
    ),
    (
        &["No such file"],
        "`make` must make the folder of `group`, and then open it: there is \
         none",
    ),
    (
        &["overflowed its stack"],
        "one of the functions calls itself, and never ends: cargo has warned \
         of that, above",
    ),
];
