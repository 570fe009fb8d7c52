//! Labels of SELinux, under the policy of one page that lies beside step10.

use witness::selinux;

use crate::lab::{boxed, report, row};

#[test]
#[ignore = "needs SELinux: scripts/test runs it in the VM"]
fn selinux_has_labels_and_two_modes() {
    if selinux::load_policy().is_none() {
        return;
    }
    let script = "printf workshop_u:workshop_r:container_t \
        >/proc/thread-self/attr/exec && exec \"$0\"";
    let there = boxed(&["sh", "-c", script]);
    let label = "workshop_u:workshop_r:container_t";
    for (is_on, mark) in [(true, "gagged"), (false, "free")] {
        selinux::enforce(is_on);
        let found = report(there.pid);
        let found = row(&found, "gags", "label");
        assert_eq!(found["mark"], mark, "{found:#}");
        assert_eq!(found["facts"]["label"], label, "{found:#}");
    }
}
