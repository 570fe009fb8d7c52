//! `--format`: a line with holes, as Docker has them from Go's text/template.
//!
//! `{{.Names}}` is a field, `{{.State.Status}}` one of an object in it, `.` all
//! of it, and `{{json .Ports}}` prints it as JSON. Between them stands any
//! text, with `\t` and `\n`. There is no more: no `if`, no `range`.

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use step00::Advice;

/// A line with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole { path: Vec<String>, is_json: bool },
}

impl Template {
    /// Reads one.
    ///
    /// # Errors
    /// When something else than a field stands between the braces.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (hole, after) = after
                .split_once("}}")
                .ok_or("{{ without the }} that ends it")?;
            parts.extend([Part::text(before), Part::hole(hole.trim())?]);
            rest = after;
        }
        parts.push(Part::text(rest));
        Ok(Template(parts))
    }

    /// The first name of each hole.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Hole { path, .. } => path.first().map(String::as_str),
            Part::Text(_) => None,
        })
    }

    /// The line with the holes filled.
    ///
    /// # Errors
    /// When there is no such field, with those that are there.
    pub fn fill(&self, value: &Value) -> Result<String> {
        let fill = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Hole { path, is_json } => {
                let found = find(value, path)?;
                Ok(match (found, is_json) {
                    (Value::String(text), false) => text.clone(),
                    (Value::Null, false) => "<no value>".into(),
                    (found, _) => found.to_string(),
                })
            }
        };
        self.0.iter().map(fill).collect()
    }
}

impl Part {
    fn text(text: &str) -> Part {
        Part::Text(text.replace("\\t", "\t").replace("\\n", "\n"))
    }

    fn hole(text: &str) -> Result<Part, String> {
        let (is_json, path) = match text.strip_prefix("json ") {
            Some(path) => (true, path.trim()),
            None => (false, text),
        };
        let names = path.strip_prefix('.').filter(|names| {
            let is_plain = |c: char| c.is_alphanumeric() || "_.".contains(c);
            names.chars().all(is_plain)
        });
        let names = names.ok_or_else(|| {
            format!(
                "{{{{{text}}}}} is no field: write {{{{.NAME}}}}, a path as \
                 {{{{.State.Status}}}} or {{{{.NetworkSettings.IPAddress}}}}, \
                 or {{{{json .NAME}}}}; there is no range and no if"
            )
        })?;
        let names = names.split('.').filter(|name| !name.is_empty());
        Ok(Part::Hole { path: names.map(String::from).collect(), is_json })
    }
}

/// Follows a path. Capital letters do not matter where a name is not there as
/// it was written: Docker's keys have them, and ours do not.
fn find<'a>(value: &'a Value, path: &[String]) -> Result<&'a Value> {
    let mut here = value;
    for name in path {
        let fields = here.as_object();
        let alike = || {
            let mut all = fields?.iter();
            all.find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let found = here.get(name).or_else(|| Some(alike()?.1));
        here = match (found, fields) {
            (Some(found), _) => found,
            (None, Some(fields)) => return Err(missing(name, fields.keys())),
            (None, None) => {
                let context = || format!("find .{name} in {here}");
                return Err(anyhow!("it has no fields")).with_context(context);
            }
        };
    }
    Ok(here)
}

/// The error for a field that is not there.
pub(crate) fn missing<S: AsRef<str>>(
    name: &str,
    there: impl Iterator<Item = S>,
) -> anyhow::Error {
    let all: Vec<String> =
        there.map(|name| format!(".{}", name.as_ref())).collect();
    let error: Result<()> = Err(anyhow!("there is no field .{name}"));
    let error = error.advice(format!("one of {}", all.join(" ")));
    error.expect_err("made as an error")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: &str) -> Result<String> {
        let value = json!({
            "Names": "web", "State": {"Pid": 7, "Paused": false},
            "ports": ["80", "81"], "none": null,
        });
        Template::parse(template).map_err(anyhow::Error::msg)?.fill(&value)
    }

    #[test]
    fn holes_are_filled_and_the_rest_stays() {
        for (template, line) in [
            ("{{.Names}}", "web"),
            ("a {{ .Names }}\\t{{.State.Pid}}\\n", "a web\t7\n"),
            ("{{.State.Paused}}", "false"),
            ("{{json .Names}} {{.none}}", "\"web\" <no value>"),
            ("{{json .State}}", "{\"Paused\":false,\"Pid\":7}"),
            ("{{.Ports}}", "[\"80\",\"81\"]"),
            ("no hole }}", "no hole }}"),
        ] {
            assert_eq!(fill(template).expect(template), line);
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = |template| format!("{:#}", fill(template).unwrap_err());
        let told = error("{{.ID}}");
        assert!(told.contains("no field .ID"), "{told}");
        assert!(told.contains(".Names .State"), "{told}");
        assert!(error("{{.State.Id}}").contains(".Paused .Pid"));
        assert!(error("{{.Names.x}}").contains("no fields"));
        for wrong in ["{{.Names", "{{if .Names}}x{{end}}", "{{Names}}", "{{}}"]
        {
            assert!(error(wrong).contains("{{"), "{wrong}");
        }
    }
}
