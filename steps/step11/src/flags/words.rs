//! What to use in place of a word that others have and step11 has not.

use clap::error::{ContextKind, ContextValue};
use clap::{Args as _, Command, Error};

use super::Run;

/// Commands of Docker's and Podman's that are left out on purpose.
#[rustfmt::skip]
const COMMANDS: &[(&[&str], &str)] = &[
    (&["pull", "load", "import", "login", "search"],
     "`cargo workshop rootfs docker://NAME` fetches it, and `step11 images` lists"),
    (&["build", "commit", "buildx", "builder"],
     "an image is a folder: `run --upper DIR` keeps what is written, and \
      `--image BASE --image DIR/upper` lays that over its base"),
    (&["push", "tag", "save", "export", "history", "rmi", "manifest", "logout"],
     "an image is a folder below target/images: tar packs it, rm removes it"),
    (&["create"],
     "`run -d` creates a container and starts it"),
    (&["attach"],
     "`logs --follow NAME` shows what it prints, and `exec -it NAME sh` walks \
      in; a detached one has no terminal to attach to"),
    (&["diff"],
     "`run --changes` lists at the end what was added, changed and deleted"),
    (&["events"],
     "`wait NAME` waits for an end, and `logs --follow NAME` for words"),
    (&["info", "system"],
     "`cargo workshop doctor` tells about this machine, and `cargo workshop \
      clean` tidies up"),
    (&["container"],
     "the same without that word: ps, prune, rm …"),
    (&["image"],
     "`cargo workshop rootfs` makes images"),
    (&["network"],
     "each container has a cable and a network of its own: `run --network`"),
    (&["volume"],
     "a volume is a folder of the machine: `run --volume HOST:INSIDE`"),
    (&["compose", "swarm", "stack", "service", "node", "secret", "config",
       "context", "plugin", "trust", "checkpoint"],
     "one machine, and one container with each `run`: a shell script starts \
      several"),
    (&["ls", "list"],
     "`ps -a` lists containers"),
];

/// Flags of theirs that `run` and others have by another name, or not at all.
#[rustfmt::skip]
const FLAGS: &[(&[&str], &str)] = &[
    (&["--ulimit"], "--rlimit NAME=SOFT[:HARD]"),
    (&["--security-opt"],
     "--seccomp none, --apparmor PROFILE, --selinux-label LABEL, --new-privs"),
    (&["--mount"], "--volume HOST:INSIDE[:ro]"),
    (&["--tmpfs"], "nothing: what is not in a volume is in memory anyway"),
    (&["--entrypoint"], "the program as the first word of the command"),
    (&["--memory-swap", "--memory-swappiness"],
     "nothing: a container has no swap"),
    (&["--cpu-quota", "--cpu-period", "--cpu-shares", "-c"], "--cpus NUMBER"),
    (&["--device-read-bps"], "--io-read BYTES/S"),
    (&["--device-write-bps"], "--io-write BYTES/S"),
    (&["--userns", "--uidmap", "--gidmap"],
     "--uid-map and --gid-map INSIDE:OUTSIDE:COUNT"),
    (&["--pid", "--uts", "--cgroupns"],
     "nothing: each container has its own"),
    (&["--publish-all", "-P", "--expose"], "--publish HOST:INSIDE"),
    (&["--device", "--gpus"], "--volume /dev/NAME:/dev/NAME"),
    (&["--add-host", "--link", "--network-alias"],
     "the address: `ps` and `inspect` have it"),
    (&["--label", "-l", "--label-file", "--cidfile"],
     "--name NAME, and `inspect NAME`"),
    (&["--timestamps", "--since", "--until"],
     "logs without it: lines are kept as they came, without their times"),
    (&["--filter"],
     "ps -a --format '{{.Names}} {{.State}}' and grep; and `prune` forgets all \
      that have ended"),
    (&["--last", "--latest", "--no-trunc", "--size"],
     "ps --format '{{.Names}} {{.Status}}' and grep"),
    (&["--shm-size"], "--memory: what is in /dev/shm counts as memory"),
    (&["--stop-signal", "--stop-timeout"],
     "kill --signal SIGNAL, and stop --time SECONDS"),
    (&["--log-driver", "--log-opt"],
     "nothing: of each log the last 4 to 8 MiB are kept, and `logs` shows them"),
    (&["--health-cmd", "--health-interval", "--no-healthcheck"],
     "exec NAME COMMAND, which has the command's exit status"),
    (&["--ip", "--mac-address", "--domainname"],
     "nothing: the address is chosen, and `inspect` has it"),
    (&["--volumes-from"], "the same --volume for both"),
    (&["--group-add"], "--user UID:GID"),
    (&["--oom-kill-disable", "--oom-score-adj"],
     "--memory max, if it is to have no limit"),
    (&["--platform", "--pull"], "--image DIR, which is taken as it is"),
    (&["--volumes"], "rm without it: what is in a volume is yours"),
    (&["--detach-keys"], "Ctrl-Z for `run` and `exec` themselves"),
];

/// The same for flags that one command has and another has not.
#[rustfmt::skip]
const FLAGS_OF: &[(&str, &[&str], &str)] = &[
    ("logs", &["-t"],
     "logs without it: lines are kept as they came, without their times"),
    ("exec", &["-d", "--detach"],
     "exec NAME sh -c 'COMMAND >/dev/null 2>&1 &'"),
    ("exec", &["--privileged"],
     "run --privileged: who walks in wears what the container wears"),
    ("exec", &["--env-file"], "exec --env K=V for each"),
    ("kill", &["-1", "-2", "-9"], "kill --signal NUMBER, or its name"),
    ("rm", &["-v"], "rm without it: what is in a volume is yours"),
    ("ps", &["-f"],
     "ps -a --format '{{.Names}} {{.State}}' and grep; and `prune` forgets all \
      that have ended"),
    ("ps", &["-n", "-l", "-s"],
     "ps --format '{{.Names}} {{.Status}}' and grep"),
];

/// Says what to use in place of a word that was refused.
pub fn advise(error: &Error, word: &str) -> Option<String> {
    let find = |table: &[(&[&str], &str)]| {
        let row = table.iter().find(|(words, _)| words.contains(&word));
        row.map(|(_, advice)| (*advice).to_owned())
    };
    if word.starts_with('-') {
        let command = command_of(error);
        let mut own = FLAGS_OF.iter().filter(|(name, _, _)| *name == command);
        let own = own.find(|(_, words, _)| words.contains(&word));
        return own
            .map(|(_, _, advice)| (*advice).to_owned())
            .or_else(|| find(FLAGS))
            .or_else(|| flag_of_run(word, &command));
    }
    find(COMMANDS).or_else(|| {
        Some(match meant(error, word) {
            Some(meant) => format!("step11 {meant}, if that was meant"),
            None => format!("in a new container it runs: step11 run {word}"),
        })
    })
}

/// The command that was mistyped. clap finds `prune` in `alpine`, and `stop` in
/// `top`; a hand that slips has the first letter right, and about the length.
fn meant(error: &Error, word: &str) -> Option<String> {
    let is_close = |command: &&String| {
        command.chars().next() == word.chars().next()
            && command.len().abs_diff(word.len()) <= 1
    };
    match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::Strings(all) => all.iter().rfind(is_close).cloned(),
        ContextValue::String(one) => Some(one).filter(is_close).cloned(),
        _ => None,
    }
}

/// Which command has refused it, as its usage says: `Usage: step11 logs …`.
fn command_of(error: &Error) -> String {
    let usage = error.get(ContextKind::Usage);
    let usage = usage.map(ToString::to_string).unwrap_or_default();
    usage.split_whitespace().nth(2).unwrap_or_default().to_owned()
}

/// A flag of a container that was given elsewhere.
fn flag_of_run(word: &str, command: &str) -> Option<String> {
    let run = Run::augment_args(Command::new("run"));
    let is_it = |flag: &clap::Arg| match word.strip_prefix("--") {
        Some(name) => flag.get_long() == Some(name),
        None => {
            flag.get_short().is_some_and(|short| word[1..].starts_with(short))
        }
    };
    let is_known = run.get_arguments().any(is_it);
    is_known.then(|| match command.starts_with('<') {
        true => format!("{word} is a flag of run: step11 run {word} …"),
        false => format!("{word} is a flag of run, and {command} has none"),
    })
}
