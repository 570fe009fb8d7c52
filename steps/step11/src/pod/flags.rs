//! `--network`, `--ipc` and `--pid container:NAME`.
//!
//! The first two are flags of step05 and step09, which know no containers. For
//! clap a flag is a value that can be changed before the command line is read:
//! here the two learn one word more, and what stands behind it is read here,
//! before the lower rungs take what is theirs (`Run` has this first).

use std::ffi::OsStr;

use anyhow::{Result, anyhow};
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgMatches, Command, FromArgMatches, ValueEnum};
use step00::Advice;

use crate::Run;
use crate::folder::parse_name;

const FORM: &str = "container:NAME";

/// Which containers are named.
#[derive(Debug)]
pub struct Args {
    /// Whose network.
    pub network: Option<String>,
    /// Whose shared memory, semaphores and queues.
    pub ipc: Option<String>,
    /// Whose processes.
    pub pid: Option<String>,
}

/// The name in `container:NAME`.
fn container(text: &OsStr) -> Option<String> {
    let name = text.to_str()?.strip_prefix("container:")?;
    parse_name(name).ok()
}

/// Reads one of the words of a lower rung, or `container:NAME` as `K`.
#[derive(Clone)]
struct OrContainer<K>(K);

impl<K> TypedValueParser for OrContainer<K>
where
    K: ValueEnum + Clone + Send + Sync + 'static,
{
    type Value = K;

    fn parse_ref(
        &self,
        command: &Command,
        flag: Option<&Arg>,
        text: &OsStr,
    ) -> std::result::Result<K, clap::Error> {
        if container(text).is_some() {
            return Ok(self.0.clone());
        }
        let words = EnumValueParser::<K>::new();
        words.parse_ref(command, flag, text).map_err(|mut error| {
            let all = self.possible_values().into_iter().flatten();
            let all = all.map(|word| word.get_name().into()).collect();
            let all = ContextValue::Strings(all);
            error.insert(ContextKind::ValidValue, all);
            error
        })
    }

    fn possible_values(
        &self,
    ) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let form = PossibleValue::new(FORM)
            .help("That of a container that runs: a pod");
        let words = K::value_variants().iter();
        let words = words.filter_map(K::to_possible_value);
        Some(Box::new(words.chain([form])))
    }
}

/// `--network` with one word more.
pub fn network(flag: Arg) -> Arg {
    flag.value_parser(OrContainer(step05::Kind::Joined))
}

/// `--ipc` with one word more.
pub fn ipc(flag: Arg) -> Arg {
    flag.value_parser(OrContainer(step09::Kind::Joined))
}

/// `--pid`, which no lower rung has.
pub fn pid() -> Arg {
    let parse =
        |text: &str| container(text.as_ref()).ok_or(format!("write {FORM}"));
    Arg::new("pid")
        .long("pid")
        .value_name(FORM)
        .help("Be among the processes of a container that runs: a pod")
        .help_heading("step11: the pod")
        .value_parser(parse)
}

/// Nothing is added here: the flags of the lower rungs are not there yet.
impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(
        matches: &ArgMatches,
    ) -> std::result::Result<Args, clap::Error> {
        // As it was typed: the value that clap has read is the lower rung's.
        let name = |flag| container(matches.get_raw(flag)?.next_back()?);
        let pid = matches.get_one::<String>("pid").cloned();
        Ok(Args { network: name("network"), ipc: name("ipc"), pid })
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Args::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Flags that make no sense for what somebody else has set up.
///
/// # Errors
/// For each of them.
pub(super) fn check(args: &Run) -> Result<()> {
    let refuse = |what: &str, advice: &str| {
        Err(anyhow!("{what} of another container")).advice(advice.to_owned())
    };
    if args.pod.network.is_some() && !args.network.publish.is_empty() {
        return refuse(
            "--publish a port in the network",
            "publish it when that one is started: it has the cable",
        );
    }
    if !args.user.uid_map.is_empty() || !args.user.gid_map.is_empty() {
        return refuse(
            "map the users",
            "no --uid-map or --gid-map here: a pod has the users of its first",
        );
    }
    if args.pod.pid.is_some() && args.ipc.boottime_offset.is_some() {
        return refuse(
            "shift the uptime among the processes",
            "one of the two flags: who is seen by others cannot do that",
        );
    }
    Ok(())
}
