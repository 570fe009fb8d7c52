//! How a rung has ended, and what it said.

/// Words of the kernel or of the rung, and the mistake behind them.
pub type Causes = [(&'static [&'static str], &'static str)];

/// What a rung has printed, and how it ended.
#[derive(Debug)]
pub struct Report {
    /// Its exit status, or 128+N if signal N killed it; `None` if it did not
    /// end by itself and had to be killed.
    pub status: Option<i32>,
    /// What the command printed.
    pub stdout: String,
    /// What the rung printed.
    pub stderr: String,
}

impl Report {
    /// The status, in words.
    #[must_use]
    pub fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => "it did not end".into(),
        }
    }

    /// The last lines that the rung has printed.
    #[must_use]
    pub fn words(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let last = &lines[lines.len().saturating_sub(4)..];
        let last: Vec<&str> = last.iter().map(|line| line.trim()).collect();
        match (self.status, &*last.join(" ")) {
            (None, "") => "nothing happens".into(),
            (Some(status), "") => format!("no word, exit status {status}"),
            (_, words) => words.to_owned(),
        }
    }
}
