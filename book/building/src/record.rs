//! What has been recorded.

use std::collections::BTreeMap;

/// Answers by view and by the state of what it depends on.
pub type Answers = BTreeMap<(&'static str, String), String>;

/// Everything that is known so far.
#[derive(Default)]
pub struct Record {
    /// What has been answered so far.
    pub answers: Answers,
    /// What the kernel says where it refuses.
    pub refusal: String,
    /// Which questions need not be asked a third time.
    pub confirmed: Vec<(&'static str, String)>,
    /// Questions with two answers.
    pub conflicts: Vec<String>,
}
