//! Starting a container again when it has ended.
//!
//! With Docker, a daemon does that. Here the launcher does, which is there for
//! this one container, and keeps its name and its log: a loop around the whole
//! of `run`. So it works for as long as the launcher lives. When the machine is
//! switched off, or the launcher killed, nobody is left to start anything.
//!
//! Two files lie beside the record (see [`crate::state`]): `restarts`, how
//! often it was; and `stopped`, with which another command says that it is
//! enough.

use std::env;
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::fcntl::OFlag;
use step00::folder::Folder;
use step00::{Advice, Ending, Guardian};

use super::policy::Policy;
use crate::flags::Args;
use crate::folder;
use crate::record::Record;
use crate::state::{self, State};

/// How often, and how it was asked to stop: names of files.
const RESTARTS: &str = "restarts";
const STOPPED: &str = "stopped";

/// The pauses between the end and the next start, as Docker has them: the
/// first one, twice as long each time, and no longer than the last.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// Who has run for so long has worked: its next pause is the first one again.
const HAS_WORKED: Duration = Duration::from_secs(10);

/// How long another command waits for a start that has begun already.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it, and again as often as its policy wants. Between the two all is
/// gone but the record: a new process, in new namespaces, with a new cable.
///
/// # Errors
/// When its name is in use; and those of the first `start`, for which somebody
/// waits. Those of later ones go to the log, and count as a failure.
pub fn keep_up(
    args: &Args,
    mut start: impl FnMut(&mut Record) -> Result<Ending>,
) -> Result<Ending> {
    check(args)?;
    let record = &mut Record::claim(args)?;
    if args.restart == Policy::No {
        return start(record);
    }
    // Paths among the flags start here, and the launcher leaves it.
    let directory = env::current_dir().context("find where we are")?;
    let folder = record.folder()?;
    let _ = folder.remove_file(STOPPED);
    let (mut times, mut pause) = (0, SHORTEST);
    loop {
        count(&folder, times)?;
        let begun = Instant::now();
        let ending = match start(record) {
            Err(error) if times == 0 => return Err(error),
            Err(error) => note(&folder, &error),
            Ok(ending) => ending,
        };
        Guardian::bury_lingering();
        pause = pause_after(begun.elapsed(), pause);
        if !args.restart.wants_more(ending.status(), times)
            || !wait(&folder, pause)
        {
            return Ok(ending);
        }
        pause *= 2;
        times += 1;
        env::set_current_dir(&directory)
            .with_context(|| format!("enter {}", directory.display()))?;
    }
}

/// # Errors
/// For one whose end its caller waits for, and for one that is forgotten then.
fn check(args: &Args) -> Result<()> {
    let refuse = |why: &str, advice: &str| {
        Err(anyhow!("--restart {why}")).advice(advice.to_owned())
    };
    match (args.detach, args.rm) {
        _ if args.restart == Policy::No => Ok(()),
        (false, _) => refuse("starts nothing in a terminal", "--detach too"),
        (_, true) => refuse("keeps what --rm forgets", "one of the two"),
        _ => Ok(()),
    }
}

/// The pause for one that ran for so long, when the last one had set this.
fn pause_after(ran: Duration, pause: Duration) -> Duration {
    match ran >= HAS_WORKED {
        true => SHORTEST,
        false => pause.min(LONGEST),
    }
}

/// Waits, unless it is told that it is enough.
fn wait(folder: &Folder, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    while !folder.has(STOPPED) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        sleep(left.min(SHORTEST));
    }
    false
}

fn count(folder: &Folder, times: u32) -> Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
    let file = folder.file(RESTARTS, flags);
    let mut file = file.context("count the restarts")?;
    write!(file, "{times}").context("count the restarts")
}

/// Nobody waits for a launcher that starts something again.
fn note(folder: &Folder, error: &anyhow::Error) -> Ending {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND;
    if let Ok(mut log) = folder.file("log", flags) {
        let _ = writeln!(log, "step11: start it again: {error:#}");
    }
    Ending::Exited(step00::failure::WORKSHOP_FAILED)
}

/// How often it was started again; `None` where that was not asked for.
pub(crate) fn times_in(folder: &Folder) -> Option<u32> {
    folder.read(RESTARTS).ok()?.parse().ok()
}

/// Is one that has ended about to be started again?
pub fn is_waiting(name: &str) -> bool {
    let folder = folder::find(name).ok().flatten();
    let is_kept =
        |folder: Folder| folder.has(RESTARTS) && !folder.has(STOPPED);
    folder.is_some_and(is_kept) && folder::has_launcher(name)
}

/// Sees to it that its launcher starts it no more, and returns what is known of
/// it then. A start that has begun already is waited for.
///
/// # Errors
/// When that cannot be written down.
pub fn no_more(state: &State) -> Result<State> {
    let name = &state.name;
    let Some(folder) = folder::find(name)? else { return Ok(state.clone()) };
    if !folder.has(RESTARTS) {
        return Ok(state.clone());
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT;
    folder
        .file(STOPPED, flags)
        .with_context(|| format!("have {name} started no more"))?;
    let end = Instant::now() + PATIENCE;
    loop {
        let now = state::read(name)?;
        let is_settled =
            now.status().process().is_some() || !folder::has_launcher(name);
        if is_settled || Instant::now() > end {
            return Ok(now);
        }
        sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_until_it_has_worked() {
        let moment = Duration::from_millis(1);
        let mut pauses = Vec::new();
        let mut pause = SHORTEST;
        for _ in 0..12 {
            pause = pause_after(moment, pause);
            pauses.push(pause.as_millis());
            pause *= 2;
        }
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[9..], [51_200, 60_000, 60_000]);
        assert_eq!(pause_after(HAS_WORKED, pause), SHORTEST);
    }
}
