//! What the companion and its stopwatch say to each other, in JSON.

use serde::{Deserialize, Serialize};

/// What is to be timed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Each candidate runs once in a round.
    pub rounds: usize,
    /// Rounds that do not count.
    pub warm_up: usize,
    /// A slow candidate sits out once it has used so many seconds.
    pub patience: f64,
    /// In this order: neighbours are compared.
    pub candidates: Vec<Candidate>,
}

/// A way to run a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    /// What it is called.
    pub name: String,
    /// Runs `true` and returns.
    pub quick: Vec<String>,
    /// Runs `cat`, which waits; empty where its processes cannot be found.
    pub wait: Vec<String>,
}

/// A line from the stopwatch.
#[derive(Debug, Serialize, Deserialize)]
pub enum Word {
    /// What the stopwatch is doing before the first round.
    Trying(String),
    /// Which round has begun, of how many.
    Round(u64, u64),
    /// The last line: one for each candidate.
    Done(Vec<Timing>),
}

/// What was measured of a candidate.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Timing {
    /// In milliseconds, for each round that it took part in.
    pub times: Vec<Option<f64>>,
    /// In KiB, of all its processes while it waits, shared pages divided among
    /// the runs that share them.
    pub memory: Option<u64>,
    /// Why it could not run.
    pub error: Option<String>,
}
