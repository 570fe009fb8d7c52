//! The page's data and its table: printed by the machine in which they were
//! recorded, then written to the book or compared with what is there.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use step00::Advice;

use crate::record::Record;
use crate::views::{PRIMITIVES, Side, VIEWS};

/// Where the data live, and the page with the table.
const DATA: &str = "book/src/generated/building-data.js";
const PAGE: &str = "book/src/building.md";

/// Between these lines of the page is the table.
const BEGIN: &str = "<!-- recorded by scripts/book building: begin -->\n";
const END: &str = "<!-- recorded by scripts/book building: end -->\n";

/// One row of the table for each primitive: a view, and which of its answers
/// are "without" and "with". Where those are not `0` and `1`, others are on
/// in both, and the row says which.
#[rustfmt::skip]
const ROWS: &[(&str, &str, &str, &str)] = &[
    ("uts", "hostname", "0", "1"),
    ("pid", "ps", "010", "110"),
    ("mount", "ls", "0", "1"),
    ("overlay", "letters", "100", "110"),
    ("network", "ip", "0", "1"),
    ("user", "user", "0", "1"),
    ("cgroup", "memory", "0", "1"),
    ("seccomp", "unshare", "00", "10"),
    ("ipc", "ipcs", "0", "1"),
    ("cgroupns", "cgroup", "10", "11"),
    ("time", "uptime", "0", "1"),
    ("caps", "powers", "00", "01"),
];

/// Prints the data, and after them the table.
pub fn print_data(record: &Record) -> Result<()> {
    print!("{}{}{}", data(record)?, BEGIN, table(record)?);
    Ok(())
}

/// A script that defines one constant.
fn data(record: &Record) -> Result<String> {
    let mut text = String::from(
        "// Recorded by scripts/book building in a virtual machine. Not to \
         be edited.\nconst BUILDING = {\n",
    );
    let kernel = nix::sys::utsname::uname()?;
    let kernel = quoted(&kernel.release().to_string_lossy());
    writeln!(text, "  kernel: {kernel},\n  primitives: [")?;
    for primitive in PRIMITIVES {
        let [id, name, kind, does] =
            [primitive.id, primitive.name, primitive.kind, primitive.does]
                .map(quoted);
        let rung = primitive.rung;
        writeln!(
            text,
            "    {{ id: {id}, name: {name}, rung: {rung}, kind: {kind}, \
             does: {does} }},"
        )?;
    }
    let refusal = quoted(&record.refusal);
    writeln!(text, "  ],\n  refusal: {refusal},\n  views: [")?;
    for view in VIEWS {
        let [id, card, command] =
            [view.id, view.card, view.command].map(quoted);
        let outside = view.side == Side::Outside;
        let on: Vec<String> = view.on.iter().map(|id| quoted(id)).collect();
        let on = on.join(", ");
        writeln!(
            text,
            "    {{ id: {id}, outside: {outside}, card: {card},\n      \
             command: {command},\n      on: [{on}], says: {{"
        )?;
        for ((id, key), answer) in &record.answers {
            if *id == view.id {
                let (key, answer) = (quoted(key), quoted(answer));
                writeln!(text, "        {key}: {answer},")?;
            }
        }
        writeln!(text, "      }} }},")?;
    }
    text += "  ],\n};\n";
    Ok(text)
}

/// A string as JavaScript writes it.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    let text = text.replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{}\"", text.replace('<', "\\u003c"))
}

fn table(record: &Record) -> Result<String> {
    let mut text = String::from(
        "<table class=\"pairs\">\n<thead><tr><th scope=\"col\">Put on</th>\
         <th scope=\"col\">before</th><th scope=\"col\">after</th></tr>\
         </thead>\n<tbody>\n",
    );
    for &(id, view, before, after) in ROWS {
        let primitive = PRIMITIVES.iter().find(|it| it.id == id);
        let primitive = primitive.context("find the row's primitive")?;
        let view = VIEWS.iter().find(|it| it.id == view);
        let view = view.context("find the row's view")?;
        let company: Vec<&str> = view
            .on
            .iter()
            .zip(before.chars())
            .filter(|&(_, on)| on == '1')
            .filter_map(|(id, _)| PRIMITIVES.iter().find(|it| it.id == *id))
            .map(|it| it.name)
            .collect();
        let company = match company.is_empty() {
            true => String::new(),
            false => format!(" (beside {})", company.join(", ")),
        };
        let side = match view.side {
            Side::Inside => "",
            Side::Outside => "host ",
        };
        let cell = |key: &str| -> Result<String> {
            let answer = record.answers.get(&(view.id, key.into()));
            let answer = answer.context("find the row's answer")?;
            // A blank line would end the table for Markdown.
            let lines = answer.lines().filter(|line| !line.trim().is_empty());
            let lines: Vec<&str> = lines.map(str::trim_end).collect();
            Ok(format!(
                "<td><pre><b>{side}$ {}</b>\n{}</pre></td>",
                escaped(view.command),
                escaped(&lines.join("\n"))
            ))
        };
        let (name, does, kind) =
            (primitive.name, primitive.does, primitive.kind);
        writeln!(
            text,
            "<tr><th scope=\"row\"><span class=\"{kind}\">{name}</span>\
             {company}: {}</th>\n{}\n{}</tr>",
            escaped(does),
            cell(before)?,
            cell(after)?
        )?;
    }
    text += "</tbody>\n</table>\n";
    Ok(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What was recorded: the data and the table.
fn recorded() -> Result<(String, String)> {
    let path = std::env::args().nth(2).context("find a recording to read")?;
    let text = fs::read_to_string(&path)
        .with_context(|| format!("read the recording {path}"))?;
    let parts = text.split_once(BEGIN).context("find both its parts")?;
    Ok((parts.0.into(), parts.1.into()))
}

/// What stands before the table on the page, the table, and what follows.
fn page() -> Result<(String, String, String)> {
    let text = fs::read_to_string(PAGE).context("read the page")?;
    let (head, rest) = text.split_once(BEGIN).context("find its table")?;
    let (table, tail) =
        rest.split_once(END).context("find its table's end")?;
    Ok((head.into(), table.into(), tail.into()))
}

/// Puts a recording into the book.
pub fn write() -> Result<()> {
    let (data, table) = recorded()?;
    let (head, _, tail) = page()?;
    fs::create_dir_all("book/src/generated")?;
    fs::write(DATA, data).context("write the data")?;
    fs::write(PAGE, format!("{head}{BEGIN}{table}{END}{tail}"))
        .context("write the table")
}

/// Compares a recording with what the book has. What changes from one machine
/// start to the next, such as a process's number, may differ.
pub fn check() -> Result<()> {
    let (data, table) = recorded()?;
    let known = fs::read_to_string(DATA).context("read the data")?;
    compare(&known, &data)?;
    compare(&page()?.1, &table)?;
    // The control: with the answers of one view exchanged it must complain.
    let wrong = data.replace("\"box\\n\"", "\"vm\\n\"");
    match compare(&known, &wrong) {
        Ok(()) => bail!("the comparison does not see an exchanged answer"),
        Err(_) => Ok(()),
    }
}

fn compare(known: &str, new: &str) -> Result<()> {
    let [known, new] = [known, new].map(normalised);
    let mut lines = known.lines().zip(new.lines());
    let differing = lines.find(|(known, new)| known != new);
    let error = match differing {
        Some((known, new)) => {
            format!("the book has\n{known}\nand the machine says\n{new}")
        }
        None if known.len() == new.len() => return Ok(()),
        None => "one of the recordings has more".into(),
    };
    Err(anyhow::Error::msg(error)).advice("run: scripts/book building")
}

/// Is this the same answer, but for what changes each time?
pub fn answers_agree(one: &str, other: &str) -> bool {
    normalised(one) == normalised(other)
}

/// Numbers that mean something although they are of the size of PIDs.
const MEANT: [u64; 9] =
    [128, 137, 256, 300, 1000, 4096, 65534, 65536, 100_000];

/// A text without what changes each time: the line of the launcher in `ps`,
/// numbers of processes and interfaces, keys, times.
fn normalised(text: &str) -> String {
    let text = text.replace("\\n", "\n").replace("\\t", "\t");
    let text = text.replace("</pre>", "\n");
    let is_launcher =
        |line: &&str| line.contains("building sh") || line.contains(" -q ");
    let lines = text.lines().filter(|line| !is_launcher(line));
    let words = |line: &str| -> Vec<String> {
        line.split_whitespace().map(normalised_word).collect()
    };
    // The machine's own `cat`, which carry its output, were started before
    // the numbers were made large: 128 may be one of them.
    let words = |line: &str| match words(line) {
        mut words if words.last().is_some_and(|last| last == "cat") => {
            words[0] = "N".into();
            words
        }
        words => words,
    };
    lines.map(|line| words(line).join(" ") + "\n").collect()
}

fn normalised_word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| "\",".contains(c));
    if let (true, Ok(time)) = (bare.contains('.'), bare.parse::<f64>()) {
        return if time < 864_000.0 { "T" } else { "T+10d" }.into();
    }
    if bare.starts_with("10.77.") {
        return "10.77.N".into();
    }
    if bare.starts_with("0x") {
        return "0xN".into();
    }
    let mut text = String::new();
    let mut digits = String::new();
    // A blank at the end, so that the last number ends as well.
    for c in word.chars().chain([' ']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let number = digits.parse::<u64>().unwrap_or(0);
        let is_index = text.ends_with("@if");
        let is_any = (100..1_000_000).contains(&number);
        text += match is_index || is_any && !MEANT.contains(&number) {
            true if !digits.is_empty() => "N",
            _ => &digits,
        };
        digits.clear();
        text.push(c);
    }
    text.trim_end().to_owned()
}
