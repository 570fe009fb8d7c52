//! Between two tries: sleeps until a file is saved, a key is pressed, or a
//! signal says to end.

use std::io::{self, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};

use super::keys::{Keys, Signals};
use super::watch::Watch;

/// What a wait ends with.
pub enum News {
    Saved,
    Hint,
    Next,
    Quit,
    Ended(Signal),
}

/// Says what is waited for, and sleeps until there is news. The terminal is as
/// before when this returns.
///
/// # Errors
/// Those of the writer, and of poll(2).
pub fn wait(
    watch: &mut Watch,
    signals: &Signals,
    out: &mut impl Write,
) -> Result<News> {
    let mut keys = Keys::take();
    let ways = match keys {
        Some(_) => "; or press h: a hint, n: the next rung, q: quit",
        None => " (Ctrl-C ends)",
    };
    writeln!(out, "\nwaiting for a file to be saved{ways}")?;
    out.flush()?;
    loop {
        let ready = look(watch, signals, keys.is_some())?;
        let [is_signal, is_event, is_key] = ready;
        match is_signal.then(|| signals.next()).flatten() {
            Some(Signal::SIGTSTP) => {
                drop(keys.take());
                raise(Signal::SIGSTOP).context("stop, as Ctrl-Z says")?;
            }
            // The shell has had the terminal meanwhile.
            Some(Signal::SIGCONT) => {
                drop(keys.take());
                keys = Keys::take();
            }
            Some(Signal::SIGCHLD) | None => {}
            Some(signal) => return Ok(News::Ended(signal)),
        }
        if is_event && watch.has_news()? {
            return Ok(News::Saved);
        }
        let pressed = keys.as_ref().filter(|_| is_key).map(Keys::pressed);
        match pressed {
            // The terminal is gone.
            Some(None) => return Ok(News::Quit),
            Some(Some(text)) => match meaning(&text) {
                Some(news) => return Ok(news),
                None => continue,
            },
            None => {}
        }
    }
}

/// Sleeps until one of them has something: signals, the watch, the keyboard.
fn look(
    watch: &Watch,
    signals: &Signals,
    with_keys: bool,
) -> Result<[bool; 3]> {
    let stdin = io::stdin();
    let mut fds = vec![
        PollFd::new(signals.fd(), PollFlags::POLLIN),
        PollFd::new(watch.fd(), PollFlags::POLLIN),
    ];
    if with_keys {
        fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
    }
    match poll(&mut fds, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok([false; 3]),
        count => count.context("wait for a file to be saved")?,
    };
    let mut is_ready = [false; 3];
    for (ready, fd) in is_ready.iter_mut().zip(&fds) {
        *ready = fd.any().unwrap_or(false);
    }
    Ok(is_ready)
}

/// What a key asks for; a terminal's end-of-file is Ctrl-D.
fn meaning(pressed: &str) -> Option<News> {
    pressed.chars().find_map(|key| match key {
        'h' | 'H' | '?' => Some(News::Hint),
        'n' | 'N' => Some(News::Next),
        'q' | 'Q' | '\u{4}' => Some(News::Quit),
        _ => None,
    })
}
