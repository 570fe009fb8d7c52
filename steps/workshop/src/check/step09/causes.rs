//! What the kernel answers, and the mistake behind it.

use crate::check::Causes;

/// The first that fits is it.
pub const CAUSES: &Causes = &[
    (
        &["mqueue", "File exists"],
        "`mount_queues`: the folder is there already. A path that begins with \
         a slash is the machine's own, however it is joined: \"dev/mqueue\"",
    ),
    (
        &["mqueue", "No such device"],
        "`mount_queues`: there is no filesystem of this type: it is \"mqueue\"",
    ),
    (
        &["mqueue", "ENODEV"],
        "`mount_queues`: there is no filesystem of this type: it is \"mqueue\"",
    ),
    (
        &["mqueue"],
        "`mount_queues` mounts the type \"mqueue\" on dev/mqueue of the new \
         root: the folder has to be made first, and a path with a slash in \
         front is the machine's",
    ),
    (
        &["ns/time_for_children"],
        "`shift_boottime`: ns/time_for_children is a file of /proc/self, to \
         be opened for reading",
    ),
    (
        &["hostname", "not permitted"],
        "`hide_groups` has made more than a cgroup namespace: \
         CLONE_NEWCGROUP alone",
    ),
    (
        &["uid_map"],
        "`hide_groups` has made more than a cgroup namespace: \
         CLONE_NEWCGROUP alone",
    ),
    (
        &["out of range"],
        "`shift_boottime`: the file takes a clock, seconds and nanoseconds, \
         in this order",
    ),
    (
        &["File exists"],
        "`mount_queues`: the folder is there already. A path that begins with \
         a slash is the machine's own, however it is joined: \"dev/mqueue\"",
    ),
    (
        &["No such file or directory"],
        "`mount_queues`: make the folder dev/mqueue of the new root, and then \
         mount on it",
    ),
    (
        &["Permission denied"],
        "`shift_boottime`: the offset is written before the namespace is \
         made, or after somebody is in it: unshare, write, setns",
    ),
    (
        &["EACCES"],
        "`shift_boottime`: the offset is written before the namespace is \
         made, or after somebody is in it: unshare, write, setns",
    ),
    (
        &["not permitted"],
        "`shift_boottime` works on the namespace that the process is in \
         already, and that is the machine's: unshare(2) first, write the \
         offset, then setns(2) to ns/time_for_children (ns/time is where the \
         process is)",
    ),
    (
        &["Invalid argument"],
        "`shift_boottime`: the kernel does not understand it. The file takes \
         \"boottime SECONDS 0\"; unshare(2) and setns(2) take `new_time`, and \
         setns(2) the open file of the namespace",
    ),
    (
        &["overflowed its stack"],
        "one of the functions calls itself, and never ends: cargo has warned \
         of that, above",
    ),
];
