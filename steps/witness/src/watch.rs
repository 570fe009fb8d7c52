//! No test waits without an end.
//!
//! Whoever waits for a line, a status or a fact tells the watch what for, and
//! has [`patience`]. Where that is over, every process of the test is killed:
//! with them end the pipes and statuses that it waits for, and it fails. A
//! test that waits for something else even then takes its program with it, and
//! so does the third wait in vain: what is wrong has been seen, and the rest
//! would take as long.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};

use crate::process;

/// How long a fact may take to become true. `WORKSHOP_PATIENCE` is another
/// number of seconds, for a processor that is emulated.
///
/// # Panics
/// When that is no number.
pub fn patience() -> Duration {
    match std::env::var("WORKSHOP_PATIENCE") {
        Ok(text) => Duration::from_secs(text.parse().expect("seconds")),
        Err(_) => Duration::from_secs(25),
    }
}

/// Between what fails by itself and what the watch has to end.
const GRACE: Duration = Duration::from_secs(4);

/// So many waits may be in vain before the program is given up.
const ENOUGH: usize = 3;

/// How many have been.
static IN_VAIN: AtomicUsize = AtomicUsize::new(0);

/// One more: for who waits in steps of its own, and is about to fail.
pub(crate) fn in_vain(what: &str) {
    let thread = thread::current();
    say(&format!("{}: {what}", thread.name().unwrap_or("a test")));
    IN_VAIN.fetch_add(1, Ordering::Relaxed);
}

/// A test that is watched, until this is dropped.
#[derive(Debug)]
pub struct Watch {
    thread: i32,
}

struct Test {
    thread: i32,
    name: String,
    /// Is it alone, so that every process below this program is its own?
    is_alone: bool,
    waits_for: String,
    since: Instant,
    /// What was said when its time was over.
    verdict: Option<String>,
}

static TESTS: Mutex<Vec<Test>> = Mutex::new(Vec::new());

fn tests() -> MutexGuard<'static, Vec<Test>> {
    TESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Watches over the test that calls this, which is one of several.
    pub fn new() -> Watch {
        Watch::over(false)
    }

    /// The same for one that no other test runs beside.
    pub(crate) fn over(is_alone: bool) -> Watch {
        static WATCHMAN: Once = Once::new();
        WATCHMAN.call_once(start);
        let thread = gettid().as_raw();
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let (waits_for, since) = ("its own work".into(), Instant::now());
        let verdict = None;
        tests().push(Test {
            thread,
            name,
            is_alone,
            waits_for,
            since,
            verdict,
        });
        Watch { thread }
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::new()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut tests = tests();
        let own = tests.iter().rposition(|test| test.thread == self.thread);
        let verdict = own.and_then(|own| tests.remove(own).verdict);
        drop(tests);
        if let (Some(verdict), false) = (verdict, thread::panicking()) {
            panic!("{verdict}");
        }
    }
}

/// Does something that waits, in good time.
///
/// # Panics
/// When its time was over before, with what it waited for.
pub fn within<T>(what: &str, wait: impl FnOnce() -> T) -> T {
    // A test that nobody watches yet is watched at least for this.
    let _watch = (!is_watched()).then(Watch::new);
    beat(what);
    let done = wait();
    beat("its own work");
    done
}

/// The calling test gets on: it has time again, and waits for this from now.
///
/// # Panics
/// When its time was over before.
pub(crate) fn beat(what: &str) {
    let verdict = with_own(|test| {
        test.waits_for = what.into();
        test.since = Instant::now();
        test.verdict.clone()
    });
    if let (Some(verdict), false) = (verdict.flatten(), thread::panicking()) {
        panic!("{verdict}");
    }
}

fn is_watched() -> bool {
    with_own(|_| ()).is_some()
}

/// The test of this thread, or the one to which all threads belong.
fn with_own<T>(with: impl FnOnce(&mut Test) -> T) -> Option<T> {
    let own = gettid().as_raw();
    let mut tests = tests();
    let number = tests.iter().rposition(|test| test.thread == own);
    let number =
        number.or_else(|| tests.iter().rposition(|test| test.is_alone));
    number.map(|number| with(&mut tests[number]))
}

/// The watch is nobody's thread: not in a namespace that a test has given to
/// its own, which would not end then, and with a root directory of its own, as
/// setns(2) refuses threads that share theirs (EINVAL).
fn start() {
    let (ready, is_ready) = mpsc::channel();
    thread::spawn(move || {
        let _ = unshare(CloneFlags::CLONE_FS);
        for kind in ["net", "mnt"] {
            let machines = File::open(format!("/proc/self/ns/{kind}"));
            // Who may not has not left the machine's, either.
            let _ = machines.map(|it| setns(it, CloneFlags::empty()));
        }
        let _ = ready.send(());
        keep_watch();
    });
    let _ = is_ready.recv();
}

fn keep_watch() {
    loop {
        thread::sleep(Duration::from_millis(200));
        let limit = patience() + GRACE;
        for test in tests().iter_mut() {
            let late = test.since.elapsed();
            if late > limit + GRACE && test.verdict.is_some() {
                give_up(&format!("{}: it does not end by itself", test.name));
            }
            if late > limit && test.verdict.is_none() {
                let verdict = verdict(test);
                say(&format!("{}: {verdict}", test.name));
                test.verdict = Some(verdict);
                processes(test).into_iter().for_each(end);
                IN_VAIN.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = IN_VAIN.load(Ordering::Relaxed);
        if count >= ENOUGH {
            // The last one tidies up.
            thread::sleep(Duration::from_secs(1));
            give_up(&format!("{count} waits were in vain: no more"));
        }
    }
}

fn verdict(test: &Test) -> String {
    let limit = (patience() + GRACE).as_secs();
    let mut words =
        format!("waited in vain for {limit} s: {}", test.waits_for);
    for pid in processes(test) {
        let state = process::state(pid).unwrap_or('X');
        let line = process::command_line(pid);
        let _ = write!(words, "\n  {pid} {state} {line}");
    }
    words
}

/// Ends this program, and every process that it has made.
fn give_up(why: &str) {
    say(why);
    process::descendants().into_iter().for_each(end);
    std::process::exit(101);
}

/// Prints that at once. The test harness keeps what `eprintln!` prints, until
/// the test has ended.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn processes(test: &Test) -> Vec<i32> {
    match test.is_alone {
        true => process::descendants(),
        false => process::descendants_of_thread(test.thread),
    }
}

fn end(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command, output};

    const VARIABLE: &str = "WITNESS_HANGS";

    fn is_asked_for() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// Not a test of its own: another one runs it in a program of its own.
    #[test]
    fn a_program_without_an_end() {
        if is_asked_for() {
            let _watch = Watch::new();
            output(command("sleep").arg("12345"));
        }
    }

    /// The same: here there is not even a process to end.
    #[test]
    fn a_thread_that_nobody_wakes() {
        let _watch = Watch::new();
        while is_asked_for() {
            thread::park();
        }
    }

    /// The same, three of them: two that are ended, and one that asks; and one
    /// that comes after.
    mod three {
        use super::*;

        fn wait() {
            let _watch = Watch::new();
            if is_asked_for() {
                output(command("sleep").arg("12345"));
            }
        }

        #[test]
        fn a_first() {
            wait();
        }

        #[test]
        fn b_second() {
            wait();
        }

        #[test]
        fn c_third() {
            let _watch = Watch::new();
            crate::eventually("nothing", || !is_asked_for());
        }

        #[test]
        fn d_fourth() {
            wait();
        }
    }

    /// The control: what ends in time.
    #[test]
    fn a_program_that_ends() {
        let _watch = Watch::new();
        assert!(output(&mut command("true")).status.success());
    }

    /// Runs the tests whose names begin with this, in a program of their own.
    fn hang(tests: &str) -> (Option<i32>, String) {
        let own = std::env::current_exe().expect("find this program");
        let tests = format!("watch::tests::{tests}");
        let ended = std::process::Command::new(own)
            .args([&tests, "--test-threads=2"])
            .envs([(VARIABLE, "1"), ("WORKSHOP_PATIENCE", "0")])
            .output()
            .expect("start this program");
        let text = [ended.stdout, ended.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (ended.status.code(), text)
    }

    #[test]
    fn who_waits_for_ever_fails_and_says_what_for() {
        let (status, text) = hang("a_program_without_an_end");
        assert_eq!(status, Some(101), "{text}");
        assert!(text.contains("the end of "), "{text}");
        assert!(text.contains("sleep 12345"), "{text}");
        assert!(text.contains("1 failed"), "it ended by itself: {text}");
        let (status, text) = hang("a_thread_that_nobody_wakes");
        assert_eq!(status, Some(101), "{text}");
        assert!(text.contains("its own work"), "{text}");
        assert!(text.contains("does not end by itself"), "{text}");
        assert_eq!(hang("a_program_that_ends").0, Some(0), "the control");
    }

    #[test]
    fn after_three_the_others_are_not_waited_for() {
        let (status, text) = hang("three::");
        assert_eq!(status, Some(101), "{text}");
        let count = text.matches("sleep 12345").count();
        assert!(count >= 2, "each says what for: {text}");
        assert!(text.contains("c_third: waited in vain for: nothing"));
        assert!(text.contains("waits were in vain"), "{text}");
        assert!(!text.contains("failed;"), "it came to its end: {text}");
        // The control: one of them fails, and the program goes on to its end.
        let (status, text) = hang("three::b");
        assert_eq!(status, Some(101), "{text}");
        assert!(text.contains("1 failed"), "{text}");
        assert!(!text.contains("no more"), "{text}");
    }
}
