//! What this machine calls a user.

use std::fs;
use std::process::{Command, Stdio};

/// The name in /etc/passwd, and otherwise the one that getent(1) finds: other
/// sources of names (a directory server, systemd) come as shared libraries,
/// which a static program must not load.
pub fn name_of(uid: u32) -> Option<String> {
    name_in_file(uid).or_else(|| {
        let mut getent = Command::new("getent");
        getent.args(["passwd", &uid.to_string()]);
        getent.stdin(Stdio::null()).stderr(Stdio::null());
        let answer = getent.output().ok()?.stdout;
        find(&String::from_utf8_lossy(&answer), uid)
    })
}

/// The name in /etc/passwd alone.
pub fn name_in_file(uid: u32) -> Option<String> {
    let table = fs::read("/etc/passwd").ok()?;
    find(&String::from_utf8_lossy(&table), uid)
}

/// passwd(5): the name, a mark for the password, the number.
fn find(table: &str, uid: u32) -> Option<String> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        let is_its = !name.is_empty() && number.parse() == Ok(uid);
        is_its.then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_number() {
        let table = "root:x:0:0::/root:/bin/sh\n:x:7::\nbad\nann:x:1000:7::\n";
        assert_eq!(find(table, 1000).as_deref(), Some("ann"));
        assert_eq!(find(table, 7), None, "a group's number, and no name");
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(name_of(u32::MAX - 7), None, "the control");
    }
}
