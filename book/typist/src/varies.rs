//! What may differ between a page and the machine that replays it.
//!
//! A page shows real output: real process numbers, real times. Both sides are
//! rewritten before they are compared, so that these do not count:
//!
//! - numbers of namespaces, 4026531835;
//! - process numbers. The machine counts from 2000, and what is between that
//!   and 99999 counts as one, but for a few numbers that mean something;
//! - times of day, dates, durations, releases of the kernel;
//! - digests, UUIDs, hardware addresses, numbers of interfaces;
//! - the address that a container has got, the names of its cable, of its
//!   layers and of its control group;
//! - how often a group was throttled, if it was; what a container says at its
//!   end that it has used, but for how many were killed;
//! - how many blanks are between two columns.
//!
//! All else counts: 137, 1000, 65536 and 100000 have to be right.

use regex_lite::{Captures, Regex};

/// Between 2000 and 99999, and yet no process.
const MEANT: [u32; 9] =
    [4096, 8000, 8080, 8192, 16384, 32768, 65534, 65535, 65536];

/// The line with its variable parts named rather than shown.
pub fn without_what_varies(line: &str) -> String {
    // In this order: what contains numbers comes before numbers.
    const PATTERNS: &[(&str, &str)] = &[
        (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
        (r"\b40265\d{5}\b", "NAMESPACE"),
        (r"\b[0-9a-f]{64}\b", "DIGEST"),
        (r"\bsha256:[0-9a-f]+\b", "DIGEST"),
        (r"\([0-9a-f]{12}\)", "(DIGEST)"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
        (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
        (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d+", "DATE"),
        (
            r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2}\b",
            "DATE",
        ),
        (r"\b\d+:\d\d(:\d\d)?(\.\d+)?\b", "TIME"),
        (r"\b\d+(\.\d+)? ?(ms|s|µs|seconds?)\b", "DURATION"),
        (r"@if\d+", "@ifN"),
        (r"\b10\.77\.\d+\.\d+\b", "ADDRESS"),
        (r"\bbox\d+\b", "CABLE"),
        (r"\bveth[0-9a-f]{7}\b", "CABLE"),
        (r"\bl/[A-Z0-9]{26}\b", "l/LAYER"),
        (r"workshop/\d+-\d+", "workshop/GROUP"),
        (
            r"^peak memory [\d.]+[KM], CPU DURATION, throttled \d+ times",
            "USED",
        ),
        (r"\bthrottled [1-9]\d* times\b", "throttled N times"),
    ];
    let mut line = line.to_owned();
    for (pattern, name) in PATTERNS.iter().copied() {
        let pattern = Regex::new(pattern).expect("a regular expression");
        line = pattern.replace_all(&line, name).into_owned();
    }
    // A release of the kernel ends as its maker likes.
    let number = Regex::new(
        r"\b\d+(\.\d+){2,3}[-+~][-+~.\w]*|\b\d+(\.\d+)*(-[0-9][-\w.]*)?",
    );
    let number = number.expect("a regular expression");
    let line = number.replace_all(&line, |found: &Captures<'_>| {
        named(&found[0]).map_or(found[0].to_owned(), str::to_owned)
    });
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn named(number: &str) -> Option<&'static str> {
    let (version, end) =
        number.split_at(number.find(['-', '+', '~']).unwrap_or(number.len()));
    let parts = version.split('.').count();
    // 6.1.0-56-cloud-amd64, 6.18.44; an address has four parts, and no end.
    if parts == 3 || parts == 4 && !end.is_empty() {
        return Some("RELEASE");
    }
    is_process(number.parse().ok()?).then_some("NUMBER")
}

/// May it be a process's number, in a machine that counts from 2000?
pub fn is_process(number: u32) -> bool {
    (2000..100_000).contains(&number) && !MEANT.contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        without_what_varies(one) == without_what_varies(other)
    }

    #[test]
    fn what_varies_does_not_count() {
        for (one, other) in [
            ("uts:[4026531838]", "uts:[4026532193]"),
            ("4026532238 2034 root sh", "4026532235 2034 root sh"),
            ("  2034 sleep", " 12034   sleep"),
            ("6.1.0-56-cloud-amd64", "6.18.44"),
            ("6.1.0-56-cloud-amd64", "6.12.43+deb13-cloud-amd64"),
            ("6.1.0-56-cloud-amd64", "6.8.0-45.45~22.04-generic"),
            ("6.1.0-56-cloud-amd64", "6.16.3-arch1-1"),
            ("6.1.0-56-cloud-amd64", "5.15.153.1-microsoft-standard-WSL2"),
            ("on 6.1.0-56-cloud-amd64 x", "on 6.12.0-124.el10.x86_64+rt x"),
            ("Linux 6.12.9", "Linux 6.1.0-56-cloud-amd64"),
            ("Thu Nov 26 01:02:03 UTC 2026", "Mon Jan  5 23:59:59 UTC 2031"),
            ("1 root 0 Nov 26 01:40 exe", "1 root 0 Dec  3 12:13 exe"),
            ("took 1.2 s", "took 31 s"),
            ("inet 10.77.31.250/30", "inet 10.77.0.2/30"),
            ("box2145@if2 10.77.33.133/30", "box77@if3 10.77.1.53/30"),
            ("table ip workshop-box2145 {", "table ip workshop-box8 {"),
            ("0::/workshop/2046-7064", "0::/workshop/2311-12"),
            ("by Docker (d96cf83c01e3)", "by Docker (0123456789ab)"),
            ("veth1a2b3c4@if5 UP", "vethff00ff0@if9 UP"),
            (
                "lowerdir=l/ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                "lowerdir=l/ZBCDEFGHIJKLMNOPQRSTUVW234",
            ),
            ("eth0@if7 02:42:ac:11:00:02", "eth0@if12 02:42:ac:11:00:ff"),
            ("throttled 6 times", "throttled 57 times"),
            (
                "peak memory 916K, CPU 1.35 s, throttled 1 times, OOM kills 0",
                "peak memory 1.2M, CPU 0.35 s, throttled 0 times, OOM kills 0",
            ),
        ] {
            assert!(same(one, other), "{one} | {other}");
        }
    }

    #[test]
    fn what_is_meant_counts() {
        for (one, other) in [
            ("exit 137", "exit 139"),
            ("0 100000 65536", "0 100000 65535"),
            ("uid 1000", "uid 1001"),
            ("10.0.2.2", "10.0.2.3"),
            ("10.0.2.2/24", "6.1.0-56-cloud-amd64/24"),
            ("6.1.0-56-cloud-amd64 sh", "6.12.43+deb13-cloud-amd64 ps"),
            ("10.77.0.2/30", "10.77.0.2/29"),
            ("256M", "128M"),
            ("throttled 6 times", "throttled 0 times"),
            (
                "peak memory 16M, CPU 0.35 s, throttled 0 times, OOM kills 1",
                "peak memory 16M, CPU 0.35 s, throttled 0 times, OOM kills 0",
            ),
            ("box2145", "veth2145"),
            ("veth1a2b3c4", "docker0"),
            ("CapEff 0000a80425fb", "CapEff 0000a80425fa"),
            ("port 8080", "port 8000"),
            ("a b", "ab"),
            ("1 sh", "2 sh"),
        ] {
            assert!(!same(one, other), "{one} | {other}");
        }
    }
}
