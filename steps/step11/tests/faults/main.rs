//! step11 when a system call fails, or a process is killed with `kill -9`.
//!
//! A first run under strace(1) lists every system call of the set-up. From
//! that list the points are made, and at each of them, one at a time, the call
//! is answered with an error, and in another run the process is killed. Each
//! time the run must end soon, with a message that names what was attempted
//! and with status 125, and leave nothing on the machine.
//!
//! - `lab.rs` - a machine apart: its network, its mounts, its /run.
//! - `case.rs` - what is run; `listing.rs` - the calls that it makes.
//! - `point.rs` - which of the calls are tried, and the error that each gets.
//! - `inject.rs` - a run in which one process meets one fault.
//! - `expect.rs` - what must be true after that, and the exceptions.
//!
//! Each call of each process is tried where it occurs first, and all the
//! gates. `WORKSHOP_FAULTS=all` tries every point there is (.ci/faults
//! does that, and takes minutes). Any other text tries the points that have it
//! in their description and prints what came of them, as
//! `WORKSHOP_FAULTS=pivot_root cargo test -p step11 --test faults`.

mod case;
mod expect;
mod inject;
mod lab;
mod listing;
mod point;

use std::process::ExitCode;
use std::time::Duration;

use case::Case;
use inject::Fault;
use lab::Lab;
use point::Point;

const STEP11: &str = env!("CARGO_BIN_EXE_step11");

/// Where one run under strace takes longer than this (as in a machine that is
/// emulated), a few points of each case must do.
const SLOW: Duration = Duration::from_secs(1);
const FEW: usize = 4;

fn main() -> ExitCode {
    // The lists are those of the solution. An exercise makes other calls, and
    // those of its seat belt (step00/src/stage/belt.rs) may fail.
    if cfg!(feature = "exercise") {
        println!("not for an exercise: cargo workshop check 11 refuses calls");
        return ExitCode::SUCCESS;
    }
    let choice = std::env::var("WORKSHOP_FAULTS").unwrap_or_default();
    let lab = Lab::new();
    // The first run of all makes the image, and that is not to be listed.
    lab.sweep();
    lab.control();
    expect::control();
    let mut tally = Tally::default();
    for mut case in Case::all() {
        let _target = case.prepare();
        case_control(&case);
        for point in choose(&case, &choice) {
            tally.try_point(&case, &point, Fault::Error, &lab);
            tally.try_point(&case, &point, Fault::Kill, &lab);
        }
    }
    let Tally { errors, kills, mut failures } = tally;
    failures.extend(lab.end());
    for failure in &failures {
        println!("FAILED {failure}");
    }
    let count = errors + kills;
    println!("tried {count} points: {errors} errors, {kills} kills");
    ExitCode::from(u8::from(!failures.is_empty()))
}

/// A point that is never reached changes nothing, and is no success either.
fn case_control(case: &Case) {
    let mut point = Point::all(case).remove(0);
    point.call.when = 65_000;
    let outcome = inject::inject(case, &point, Fault::Error);
    assert_eq!(outcome.status, Some(0), "{}: {outcome:?}", case.name);
    let result = expect::of_ending(&point, Fault::Error, &outcome);
    assert!(result.is_err_and(|why| why.contains("never reached")));
}

fn choose(case: &Case, choice: &str) -> Vec<Point> {
    let points = Point::all(case);
    if choice == "all" {
        return points;
    }
    if !choice.is_empty() {
        let is_chosen = |point: &Point| point.to_string().contains(choice);
        return points.into_iter().filter(is_chosen).collect();
    }
    let mut points = point::firsts(points);
    if case.took > SLOW {
        // Groups can only be tried where strace is slow, so they come first.
        points.sort_by_key(|point| !point.call.is_about_groups());
        let (all, took) = (points.len(), case.took);
        points.truncate(FEW);
        let few = points.len();
        println!(
            "{}: {few} of {all} points, a run under strace takes {took:.1?}",
            case.name
        );
    }
    points
}

/// What was tried, and what came of it.
#[derive(Default)]
struct Tally {
    errors: u32,
    kills: u32,
    failures: Vec<String>,
}

impl Tally {
    fn try_point(
        &mut self,
        case: &Case,
        point: &Point,
        fault: Fault,
        lab: &Lab,
    ) {
        let is_harmful = fault == Fault::Kill && case.is_shared(&point.call);
        match fault {
            _ if is_harmful => return,
            Fault::Error if point.cannot_fail() => return,
            Fault::Error => self.errors += 1,
            Fault::Kill => self.kills += 1,
        }
        let known = lab.changes();
        let outcome = inject::inject(case, point, fault);
        let result = expect::check(point, fault, &outcome, lab, &known);
        if std::env::var_os("WORKSHOP_FAULTS").is_some() {
            println!("{fault:?} {point}");
            let words = outcome.stderr.lines();
            let last = words.rev().find(|line| !line.starts_with(' '));
            let status = outcome.status;
            println!("    {status:?} {}", last.unwrap_or_default());
        }
        if let Err(why) = result {
            // The next point is not to answer for it.
            lab.sweep();
            lab.leftovers(&known);
            let stderr = &outcome.stderr;
            self.failures.push(format!("{fault:?} {point}: {why}\n{stderr}"));
        }
    }
}
