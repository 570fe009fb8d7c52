//! Where the repository is, for whoever has found the book and not the code.
//!
//! One line says so: `repository = "https://…"` in the workspace's
//! `Cargo.toml`. From there [`with_clone`] writes the two commands into the
//! README and the pages, between two comments, and `scripts/book` the link at
//! the top of every page. As long as there is no such line nothing is shown.

const START: &str = "<!-- clone -->";
const END: &str = "<!-- end -->";

/// The address of the repository, if the workspace's `Cargo.toml` names one.
pub fn address(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines();
    let value = lines.find_map(|line| line.strip_prefix("repository = "))?;
    let address = value.trim().trim_matches('"');
    (!address.is_empty()).then_some(address)
}

/// The text with the commands between each pair of comments, or with nothing
/// there if there is no address.
pub fn with_clone(text: &str, address: Option<&str>) -> String {
    let mut new = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        let Some((_, after)) = after.split_once(END) else { break };
        let commands = address.map(commands).unwrap_or_default();
        new += &format!("{before}{START}\n{commands}{END}");
        rest = after;
    }
    new + rest
}

fn commands(address: &str) -> String {
    let name = address.trim_end_matches('/').rsplit('/').next();
    let folder = name.unwrap_or_default().trim_end_matches(".git");
    format!("\n```sh\ngit clone {address}\ncd {folder}\n```\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a\n\n<!-- clone -->\nold\n<!-- end -->\n\nb\n";

    #[test]
    fn the_address_is_the_one_line_of_the_manifest() {
        let set = "[workspace.package]\nrepository = \"https://h/w\"\n";
        assert_eq!(address(set), Some("https://h/w"));
        assert_eq!(address("repository = \"\"\n"), None);
        assert_eq!(address("# repository = \"https://h/w\"\n"), None);
    }

    #[test]
    fn the_commands_stand_between_the_comments() {
        let new = with_clone(PAGE, Some("https://h/o/work.git"));
        let shown = "```sh\ngit clone https://h/o/work.git\ncd work\n```";
        assert!(new.contains(shown), "{new}");
        assert!(new.starts_with("a\n") && new.ends_with("\nb\n"), "{new}");
        assert_eq!(with_clone(&new, Some("https://h/o/work.git")), new);
    }

    #[test]
    fn without_an_address_nothing_is_shown() {
        let new = with_clone(PAGE, None);
        assert_eq!(new, PAGE.replace("old\n", ""));
        assert_eq!(with_clone("no comments", None), "no comments");
    }
}
