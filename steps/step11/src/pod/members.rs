//! Which containers a new one shares namespaces with.

use anyhow::{Context, Result, anyhow};
use nix::sched::CloneFlags;
use step00::proc::IdMap;
use step00::{Advice, Proc, Process};
use step06::Maps;
use step06::ids::Writer;
use step06::mapping::Mapping;

use super::namespace_of;
use crate::exec::way_in;
use crate::{Run, namespaces, state};

/// A container that runs, and what of it a flag asks for.
pub(super) struct Member {
    /// What it is called.
    pub(super) name: String,
    /// The process by which its namespaces are joined.
    pub(super) process: Process,
    /// The kind of namespace: CLONE_NEWNET, …
    pub(super) kind: CloneFlags,
    /// The same, or nothing where it is the machine's (`--network host`), and
    /// the launcher is in it anyway.
    pub(super) joins: CloneFlags,
}

/// One for each flag that names one.
pub(super) fn find(args: &Run) -> Result<Vec<Member>> {
    let wanted = [
        (&args.pod.network, CloneFlags::CLONE_NEWNET),
        (&args.pod.ipc, CloneFlags::CLONE_NEWIPC),
        (&args.pod.pid, CloneFlags::CLONE_NEWPID),
    ];
    let named = wanted.into_iter();
    let named = named.filter_map(|(name, kind)| Some((name.as_ref()?, kind)));
    let own = args.record.name.as_deref();
    named.map(|(name, kind)| Member::find(name, kind, own)).collect()
}

impl Member {
    fn find(
        name: &str,
        kind: CloneFlags,
        own: Option<&str>,
    ) -> Result<Member> {
        let joining = || format!("join container:{name}");
        if own == Some(name) {
            let error = anyhow!("this is the new container itself");
            return Err(error.context(joining()))
                .advice("the name of another one, which runs");
        }
        // With its own advice where there is none: root's containers and
        // those of `--rootless` are in two lists.
        let state = state::read(name).with_context(joining)?;
        let first = state
            .running()
            .with_context(joining)
            .advice("a pod begins with a container that runs: -d")?;
        let process = way_in(first).with_context(joining)?;
        let apart = namespaces::between(process.pid)?;
        Ok(Member { name: name.into(), process, kind, joins: kind & apart })
    }
}

/// Each namespace has one owner. A process can only be at home with one.
///
/// # Errors
/// When two containers do not share their users.
pub(super) fn check_owner(members: &[Member]) -> Result<()> {
    let first = &members[0];
    let owner = namespace_of(&first.process, "user")?;
    for other in members {
        if namespace_of(&other.process, "user")? != owner {
            let (one, two) = (&first.name, &other.name);
            let error = anyhow!("{one} and {two} are not in the same pod");
            return Err(error).advice(format!(
                "start {two} with --network container:{one}, or the reverse"
            ));
        }
    }
    Ok(())
}

/// The users of a container that runs, as the kernel has them.
pub(super) fn maps(process: &Process, args: &step06::Args) -> Result<Maps> {
    let process = Proc::of(process.pid);
    let ranges = |map: IdMap| -> Result<Vec<Mapping>> {
        map.0.iter().map(mapping).collect()
    };
    let (uids, gids) = (process.uid_map()?, process.gid_map()?);
    let writer = match args.is_rootless() {
        true => Writer::Unprivileged,
        false => Writer::Root,
    };
    Ok(Maps { uids: ranges(uids)?, gids: ranges(gids)?, writer })
}

fn mapping(range: &step00::proc::Range) -> Result<Mapping> {
    let number = |number: u64| u32::try_from(number).context("read a map");
    Ok(Mapping {
        inside: number(range.inside)?,
        outside: number(range.outside)?,
        count: number(range.count)?,
    })
}
