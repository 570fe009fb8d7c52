//! What it cannot use: the limits of its control groups, and what is used now.
//!
//! A limit holds for a group and all below it. So each row shows the tightest
//! on the way up from the process's own group, and what *that* group uses.

use serde_json::json;
use step00::Mark;
use step07::quantities::human;

use super::cpus;
use super::groups::{Group, Groups};
use super::proc::Process;
use super::row::Row;

/// A row for each thing that a group can limit.
pub fn look(process: &Process) -> Vec<Row> {
    let Ok(text) = process.read("cgroup") else {
        return vec![Row::hidden("handcuffs")];
    };
    let groups = Groups::of(&text);
    let mut rows = vec![memory(&groups), cpu(&groups), pids(&groups)];
    rows.extend(cpus::look(process));
    rows.extend(io(&groups));
    rows.extend(frozen(&groups));
    rows.extend(others(&groups));
    rows
}

/// The process's own group. All processes are in the root: what is used there
/// says nothing about one of them.
fn own(groups: &Groups, controller: &str) -> Option<Group> {
    groups.way_up(controller).next().filter(|group| group.name != "/")
}

/// Version 1 says "no limit" with the largest multiple of a page.
const V1_NO_LIMIT: u64 = 1 << 62;

fn memory(groups: &Groups) -> Row {
    let files =
        [("memory.max", "memory.current"), ("memory.limit_in_bytes", "")];
    let limits = groups.way_up("memory").filter_map(|group| {
        let names = files.iter().map(|(limit, _)| limit);
        let limit = names.filter_map(|name| group.number(name)).next()?;
        (limit < V1_NO_LIMIT).then_some((limit, group))
    });
    let tightest = limits.min_by_key(|(limit, _)| *limit);
    let group = match &tightest {
        Some((_, group)) => Some(group.clone()),
        None => own(groups, "memory"),
    };
    let used = group.as_ref().and_then(|group| {
        let used = group.number("memory.current");
        used.or_else(|| group.number("memory.usage_in_bytes"))
    });
    let Some((limit, group)) = tightest else {
        let text = used.map(|used| format!("{} in use", human(used)));
        return free("memory", &text.unwrap_or_default(), used);
    };
    let use_now = used.map_or("?".to_owned(), human);
    let swap = match group.number("memory.swap.max") {
        Some(0) => ", no swap",
        _ => "",
    };
    let text = format!("{use_now} of {}{swap}{}", human(limit), group.whose());
    cuffed("memory", text, &group, used, json!(limit))
}

fn pids(groups: &Groups) -> Row {
    let limits = groups
        .way_up("pids")
        .filter_map(|group| Some((group.number("pids.max")?, group)));
    match limits.min_by_key(|(limit, _)| *limit) {
        Some((limit, group)) => {
            let used = group.number("pids.current");
            let now = used.map_or("?".to_owned(), |used| used.to_string());
            let text = format!(
                "{now} of {limit} processes and threads{}",
                group.whose()
            );
            cuffed("pids", text, &group, used, json!(limit))
        }
        None => free("pids", "", None),
    }
}

/// The time of how many CPUs it may use, and how much it has used.
fn cpu(groups: &Groups) -> Row {
    let limits =
        groups.way_up("cpu").filter_map(|group| Some((group.cpus()?, group)));
    let tightest = limits.min_by(|(a, _), (b, _)| a.total_cmp(b));
    let group = match &tightest {
        Some((_, group)) => Some(group.clone()),
        None => own(groups, "cpu"),
    };
    let count = |key| group.as_ref().and_then(|g| g.value("cpu.stat", key));
    let used = count("usage_usec");
    let spent = used.map_or(String::new(), |micros| {
        format!("{}.{:02} s used", micros / 1_000_000, micros / 10_000 % 100)
    });
    let Some((cpus, group)) = tightest else {
        return free("cpu", &spent, used);
    };
    let spent = if spent.is_empty() { spent } else { format!(", {spent}") };
    let throttled = count("nr_throttled").unwrap_or(0);
    let text = format!(
        "the time of {cpus} CPU{spent}, throttled {throttled} times{}",
        group.whose()
    );
    cuffed("cpu", text, &group, used, json!(cpus))
}

/// A line for each disk.
fn io(groups: &Groups) -> Option<Row> {
    let v1 =
        ["blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device"];
    let limit = |group: &Group| {
        let texts = std::iter::once("io.max").chain(v1);
        let texts = texts.filter_map(|file| group.read(file));
        texts.into_iter().find(|text| !text.is_empty())
    };
    let mut way = groups.way_up("io").chain(groups.way_up("blkio"));
    let (limit, group) = way.find_map(|g| Some((limit(&g)?, g)))?;
    let shown = limit.replace("=max", "=any").replace('\n', "; ");
    let text = format!("disk {shown}{}", group.whose());
    Some(cuffed("io", text, &group, None, json!(limit)))
}

/// The freezer: a frozen process gets no time at all.
fn frozen(groups: &Groups) -> Option<Row> {
    let is_frozen = |group: &Group| {
        let events = group.value("cgroup.events", "frozen");
        let state = group.read("freezer.state");
        events == Some(1) || state.as_deref() == Some("FROZEN")
    };
    let mut way = groups.way_up("").chain(groups.way_up("freezer"));
    let group = way.find(is_frozen)?;
    let text = format!("it stands still{}", group.whose());
    Some(cuffed("frozen", text, &group, None, json!(true)))
}

/// Whatever else in version 2 has a number as its limit: `memory.high`, huge
/// pages … A file beside each says how much is used.
fn others(groups: &Groups) -> Option<Row> {
    let known = ["memory.max", "pids.max", "memory.swap.max"];
    let found = groups.way_up("").flat_map(|group| {
        let files = group.files().into_iter().filter_map(|file| {
            let stem = file.strip_suffix(".max");
            let stem = stem.or_else(|| file.strip_suffix(".high"))?;
            let limit = group.number(&file)?;
            let used = group.number(&format!("{stem}.current"));
            let used = used.map_or("?".to_owned(), |used| used.to_string());
            (!known.contains(&file.as_str()))
                .then(|| format!("{file} {used} of {limit}{}", group.whose()))
        });
        files.collect::<Vec<String>>()
    });
    let mut found: Vec<String> = found.collect();
    found.sort();
    let text = found.join("; ");
    let facts = json!({ "limits": found });
    (!text.is_empty()).then(|| Row::with(Mark::Cuffed, "others", text, facts))
}

fn free(subject: &'static str, used: &str, amount: Option<u64>) -> Row {
    let used =
        if used.is_empty() { String::new() } else { format!(", {used}") };
    let facts = json!({ "limit": null, "used": amount });
    Row::with(Mark::Free, subject, format!("no limit{used}"), facts)
}

fn cuffed(
    subject: &'static str,
    text: String,
    group: &Group,
    used: Option<u64>,
    limit: serde_json::Value,
) -> Row {
    let facts = json!({
        "limit": limit,
        "used": used,
        "group": group.name,
        "inherited": group.is_above,
    });
    Row::with(Mark::Cuffed, subject, text, facts)
}
