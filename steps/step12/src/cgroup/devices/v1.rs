//! The rules as the lines of devices.allow and devices.deny
//! (Documentation/admin-guide/cgroup-v1/devices.rst).
//!
//! The kernel keeps no order. It keeps what holds for all devices, and a list
//! of exceptions; a line for all (`a`) begins a new list.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Kind, Rule, allow_all};
use crate::cgroup::files;

/// Writes them.
pub(super) fn write(group: &Path, rules: &[Rule]) -> Result<()> {
    // A group begins as a copy of the one above it.
    let is_open = files::read(group, "devices.list")? == "a *:* rwm";
    if is_open && allow_all(rules) {
        return Ok(());
    }
    for (file, line) in lines(rules)? {
        files::write(group, file, &line).with_context(|| {
            format!("write {line:?} to {}", group.join(file).display())
        })?;
    }
    Ok(())
}

/// What is written to which file.
///
/// # Errors
/// A hole in an exception: of v1 it cannot be asked.
fn lines(rules: &[Rule]) -> Result<Vec<(&'static str, String)>> {
    let (mut allow, mut exceptions) = (false, Vec::new());
    for rule in rules {
        match rule.is_total() {
            true => {
                allow = rule.allow;
                exceptions.clear();
            }
            false => {
                for rule in of_one_kind(rule) {
                    match rule.allow == allow {
                        true => take_back(&mut exceptions, &rule)?,
                        false => exceptions.push(rule),
                    }
                }
            }
        }
    }
    let file = |allow| if allow { "devices.allow" } else { "devices.deny" };
    let all = [(file(allow), "a".to_owned())];
    let exceptions =
        exceptions.iter().map(|it| (file(!allow), it.to_string()));
    Ok(all.into_iter().chain(exceptions).collect())
}

/// `a` with numbers would be taken for all devices, so say `b` and `c`.
fn of_one_kind(rule: &Rule) -> Vec<Rule> {
    let kinds = match rule.kind {
        None => vec![Kind::Block, Kind::Character],
        Some(kind) => vec![kind],
    };
    let of = |kind| Rule { kind: Some(kind), ..*rule };
    kinds.into_iter().map(of).collect()
}

/// A rule that says what holds for all anyway takes exceptions back.
fn take_back(exceptions: &mut Vec<Rule>, rule: &Rule) -> Result<()> {
    let shares = |one: Option<u32>, other: Option<u32>| {
        one.is_none() || other.is_none() || one == other
    };
    let covers = |number: Option<u32>, other: Option<u32>| {
        number.is_none() || number == other
    };
    for it in exceptions.iter_mut() {
        let is_about = it.kind == rule.kind
            && shares(it.major, rule.major)
            && shares(it.minor, rule.minor)
            && it.access & rule.access != 0;
        if !is_about {
            continue;
        }
        if !covers(rule.major, it.major) || !covers(rule.minor, it.minor) {
            bail!("cgroup v1 cannot make an exception {rule} in {it}");
        }
        it.access &= !rule.access;
    }
    exceptions.retain(|exception| exception.access != 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    fn texts(json: &str) -> Vec<String> {
        let lines = lines(&read(json).expect("rules")).expect("lines");
        lines.iter().map(|(file, line)| format!("{file} {line}")).collect()
    }

    #[test]
    fn what_is_not_allowed_is_denied() {
        let deny = r#"[{"allow": false, "access": "rwm"}, {"allow": true,
            "type": "c", "major": 10, "minor": 229, "access": "rw"}]"#;
        let all = texts(deny);
        let first = [
            "devices.deny a",
            "devices.allow c 10:229 rw",
            "devices.allow c *:* m",
            "devices.allow b *:* m",
        ];
        assert_eq!(all[..4], first);
        assert_eq!(all.len(), 2 + super::super::DEFAULTS.len());
        // Nothing said is the same.
        assert_eq!(texts("[]")[0], "devices.deny a");
        let open = r#"[{"allow": true, "access": "rwm"}]"#;
        assert_eq!(texts(open), ["devices.allow a"]);
    }

    #[test]
    fn the_last_match_wins_without_an_order() {
        let json = r#"[{"allow": true, "type": "b", "major": 8, "minor": 1},
            {"allow": false, "type": "b", "major": 8, "access": "wm"},
            {"allow": true, "type": "a", "major": 7, "minor": 0}]"#;
        let all = texts(json);
        let right = [
            "devices.allow b 8:1 r",
            "devices.allow b 7:0 rwm",
            "devices.allow c 7:0 rwm",
        ];
        assert_eq!(all[1..4], right);
    }

    #[test]
    fn a_hole_in_an_exception_is_refused() {
        let json = r#"[{"allow": true, "type": "b", "major": 8},
            {"allow": false, "type": "b", "major": 8, "minor": 1}]"#;
        let error = lines(&read(json).expect("rules")).expect_err("a hole");
        let error = error.to_string();
        assert!(error.contains("b 8:1 rwm in b 8:* rwm"), "{error}");
    }
}
