//! Fields of linux.resources that both versions of cgroups write alike.

use anyhow::{Context, Result, ensure};

use super::files::Setting;
use crate::config::resources::{Cpu, Rdma, Resources};

/// pids.max. Of 0 the kernel says that nobody may fork *into* the group, and
/// so the container could not start: its own process is a process, too.
pub(crate) fn pids(resources: &Resources) -> Option<Setting> {
    let limit = resources.pids.as_ref()?.limit?;
    let text = match limit {
        ..0 => "max".to_owned(),
        limit => limit.max(1).to_string(),
    };
    Some(Setting::new("pids.limit", "pids.max", text))
}

/// cpuset.cpus and cpuset.mems.
pub(crate) fn cpuset(cpu: &Cpu) -> Vec<Setting> {
    let files = [
        ("cpu.cpus", "cpuset.cpus", &cpu.cpus),
        ("cpu.mems", "cpuset.mems", &cpu.mems),
    ];
    let named = files.into_iter().filter(|(_, _, list)| !list.is_empty());
    named.map(|(field, file, list)| Setting::new(field, file, list)).collect()
}

/// hugetlb.SIZE.max, or in v1 hugetlb.SIZE.limit_in_bytes. Limited are the
/// pages that are used, and those that are reserved (`rsvd`, since Linux 5.7):
/// who asks for more is told so by mmap(2), and not by SIGBUS later.
pub(crate) fn hugepages(
    resources: &Resources,
    file: &str,
) -> Result<Vec<Setting>> {
    let mut all = Vec::new();
    for limit in &resources.hugepage_limits {
        let size = &limit.page_size;
        ensure!(
            !size.is_empty()
                && size.chars().all(|c| c.is_ascii_alphanumeric()),
            "linux.resources.hugepageLimits: {size:?} is no size of pages"
        );
        let field = format!("hugepageLimits.{size}");
        let name = format!("hugetlb.{size}.{file}");
        all.push(Setting::new(&field, name, limit.limit));
        let name = format!("hugetlb.{size}.rsvd.{file}");
        all.push(Setting::new(&field, name, limit.limit).or_nothing());
    }
    Ok(all)
}

/// rdma.max: a line for each card.
pub(crate) fn rdma(resources: &Resources) -> Result<Vec<Setting>> {
    let line = |(card, limits): (&String, &Rdma)| {
        let is_word = !card.contains(char::is_whitespace);
        ensure!(
            is_word && !card.is_empty(),
            "linux.resources.rdma: {card:?} is no device's name"
        );
        let limit = |name, number: Option<u32>| {
            number.map(|it| format!(" {name}={it}")).unwrap_or_default()
        };
        let text = format!(
            "{card}{}{}",
            limit("hca_handle", limits.hca_handles),
            limit("hca_object", limits.hca_objects)
        );
        Ok(Setting::new(format!("rdma.{card}"), "rdma.max", text))
    };
    resources.rdma.iter().map(line).collect()
}

/// A disk's number, as the kernel's files write it.
pub(crate) fn disk(major: i64, minor: i64) -> Result<String> {
    let number = |number: i64| u32::try_from(number);
    let (major, minor) = number(major)
        .and_then(|major| Ok((major, number(minor)?)))
        .with_context(|| {
            format!(
                "linux.resources.blockIO: there is no disk {major}:{minor}"
            )
        })?;
    Ok(format!("{major}:{minor}"))
}
