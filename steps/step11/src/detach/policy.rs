//! When a container is started again: the words of `--restart`.

/// When a container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Never.
    No,
    /// When its status is not 0; perhaps so many times at most.
    OnFailure(Option<u32>),
    /// Whenever it ends. `unless-stopped` is the same here: the two differ in
    /// what a daemon does at its own start.
    Always,
}

impl Policy {
    /// Reads `no`, `on-failure[:N]`, `always` or `unless-stopped`.
    ///
    /// # Errors
    /// Any other word, and no number after the colon.
    pub fn parse(text: &str) -> Result<Policy, String> {
        let usage = "write no, on-failure, on-failure:N, always \
                     or unless-stopped";
        match text.split_once(':').unwrap_or((text, "")) {
            ("no", "") => Ok(Policy::No),
            ("always" | "unless-stopped", "") => Ok(Policy::Always),
            ("on-failure", "") => Ok(Policy::OnFailure(None)),
            ("on-failure", most) => most
                .parse()
                .map(|most| Policy::OnFailure(Some(most)))
                .map_err(|_| usage.into()),
            _ => Err(usage.into()),
        }
    }

    /// Is it to be started once more, after so many times?
    pub(super) fn wants_more(self, status: u8, times: u32) -> bool {
        match self {
            Policy::No => false,
            Policy::OnFailure(most) => {
                status != 0 && most.is_none_or(|most| times < most)
            }
            Policy::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_one_of_dockers_words() {
        let parse = |text| Policy::parse(text).ok();
        assert_eq!(parse("no"), Some(Policy::No));
        assert_eq!(parse("unless-stopped"), parse("always"));
        assert_eq!(parse("on-failure"), Some(Policy::OnFailure(None)));
        assert_eq!(parse("on-failure:3"), Some(Policy::OnFailure(Some(3))));
        for wrong in ["", "yes", "always:3", "no:1", "on-failure:x", "3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_ends_is_started_again_where_that_is_wanted() {
        let two = Policy::OnFailure(Some(2));
        assert!(two.wants_more(1, 0) && two.wants_more(1, 1));
        assert!(!two.wants_more(1, 2), "two times, and no more");
        assert!(!two.wants_more(0, 0), "that is no failure");
        assert!(Policy::OnFailure(None).wants_more(1, 1000));
        assert!(Policy::Always.wants_more(0, 1000));
        assert!(!Policy::No.wants_more(1, 0));
    }
}
