//! Fetches an image from a registry by its name, through skopeo(1): what a
//! registry asks for (tokens, credentials, certificates, mirrors, the fitting
//! platform) fills whole libraries, and skopeo reads the settings that Podman
//! and Docker leave on this machine.
//!
//! What comes is an image layout, each blob of which is checked against its
//! name afterwards like that of any stranger's ([`super::oci`]).

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::budget::Budget;
use crate::progress::Progress;
use crate::text::quoted;

/// How often the bytes on the disk are counted.
const TICK: Duration = Duration::from_millis(200);
/// More of skopeo's words than anybody reads.
const WORDS_LIMIT: u64 = 1 << 16;

/// Copies the image into a layout in `scratch`, and returns where that is.
///
/// # Errors
/// skopeo is not installed, or could not fetch it, and its own words are
/// passed on; or it is more than the budget allows.
pub fn fetch(
    reference: &str,
    scratch: &Path,
    budget: &Budget,
) -> Result<PathBuf> {
    let name = quoted(reference);
    fs::create_dir(scratch).context("make a folder for it")?;
    let mut skopeo = match start(reference, scratch) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "fetch {name}: skopeo speaks to registries, and is not installed \
             (its package is called skopeo)"
        ),
        started => started.context("run skopeo")?,
    };
    let words = watch(&mut skopeo, scratch, budget);
    if words.is_err() {
        let _ = skopeo.kill();
    }
    let status = skopeo.wait().context("wait for skopeo")?;
    let words = words.with_context(|| format!("fetch {name}"))?;
    if !status.success() {
        bail!("fetch {name}: {}", explained(reference, &words));
    }
    Ok(scratch.join("layout"))
}

fn start(reference: &str, scratch: &Path) -> io::Result<Child> {
    let mut skopeo = Command::new("skopeo");
    // Whose images are trusted is for the machine's owner to say. Where nothing
    // is said skopeo refuses all, and Docker takes all.
    if !has_policy() {
        skopeo.arg("--insecure-policy");
    }
    // Its temporary files count as well, and go as well.
    skopeo.args(["--override-os", "linux", "--tmpdir", ".", "copy"]);
    if is_this_machine(reference) {
        skopeo.arg("--src-tls-verify=false");
    }
    // A path in the name of a layout may have no colon in it: this one is
    // relative.
    skopeo.arg(format!("docker://{reference}")).arg("oci:layout:image");
    skopeo.current_dir(scratch).stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: between fork and execve the closure makes one system call and
    // allocates nothing.
    unsafe {
        skopeo.pre_exec(|| Ok(set_pdeathsig(Signal::SIGTERM)?));
    }
    skopeo.stderr(Stdio::piped()).spawn()
}

/// Waits until it has said its last word, and shows how far it has come. A
/// registry decides how much it sends, so the disk is looked at meanwhile.
fn watch(
    skopeo: &mut Child,
    scratch: &Path,
    budget: &Budget,
) -> Result<String> {
    let mut stderr = skopeo.stderr.take().context("no pipe to skopeo")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut words = Vec::new();
        let _ = stderr.by_ref().take(WORDS_LIMIT).read_to_end(&mut words);
        let _ = io::copy(&mut stderr, &mut io::sink());
        let _ = sender.send(words);
    });
    let mut progress = Progress::bytes("fetching", None);
    loop {
        let words = receiver.recv_timeout(TICK);
        let bytes = bytes_below(scratch);
        budget.afford(bytes).and_then(|()| budget.spend(0))?;
        match words {
            Ok(words) => return Ok(String::from_utf8_lossy(&words).into()),
            Err(RecvTimeoutError::Timeout) => progress.to(bytes),
            Err(RecvTimeoutError::Disconnected) => return Ok(String::new()),
        }
    }
}

/// The bytes of all files below a folder. What goes away meanwhile, or has not
/// come yet, is none.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// The last part of a reference, without tag and digest: `quay.io/a/b:1` is
/// called `b`.
pub fn short_name(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or(last, |(name, _)| name)
}

/// Does a file say whose images are to be trusted? containers-policy.json(5)
fn has_policy() -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let own = home.map(|home| home.join(".config/containers/policy.json"));
    let all = [own, Some(PathBuf::from("/etc/containers/policy.json"))];
    all.into_iter().flatten().any(|file| file.exists())
}

/// Is it a registry on this machine? Nobody is between, and so it needs no
/// certificate, for Docker neither.
fn is_this_machine(reference: &str) -> bool {
    let host = reference.split_once('/').map_or("", |(host, _)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name == "[::1]" || name.starts_with("127.")
}

/// What skopeo says it died of, and what to do about it.
fn explained(reference: &str, words: &str) -> String {
    let fatal = words.lines().rfind(|line| line.contains("level=fatal"));
    let line =
        fatal.or(words.lines().next_back()).unwrap_or("no reason given");
    let message = line.split_once("msg=").map_or(line, |(_, message)| message);
    let message = message.trim_matches('"').replace("\\\"", "'");
    let has = |some: &[&str]| {
        let small = message.to_lowercase();
        some.iter().any(|word| small.contains(word))
    };
    let host = reference.split_once('/').map_or("docker.io", |(host, _)| {
        if host.contains(['.', ':']) { host } else { "docker.io" }
    });
    let advice = if has(&["manifest unknown", "name unknown", "not found"]) {
        format!("is it the right name? skopeo list-tags docker://{reference}")
    } else if has(&["unauthorized", "authentication", "denied"]) {
        format!(
            "there is none of that name, or not for everybody: skopeo login \
             {host}"
        )
    } else if has(&["no image found in"]) {
        "it is for other machines than this one".into()
    } else if has(&["http response to https"]) {
        format!(
            "it speaks plain HTTP: if you trust the network between, skopeo \
             copy --src-tls-verify=false docker://{reference} oci:DIR, and \
             import DIR"
        )
    } else if has(&["x509", "certificate"]) {
        "it has no certificate that this machine trusts: \
         containers-certs.d(5) says where one belongs"
            .into()
    } else {
        "is there a network, and is the registry up?".into()
    };
    format!("{}: {advice}", quoted(&message).trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_trusted_without_a_certificate() {
        for here in ["localhost/x", "localhost:5000/x", "127.0.0.1:1/x/y"] {
            assert!(is_this_machine(here), "{here}");
        }
        for there in ["localhost", "x/localhost", "128.0.0.1/x", "a.b:1/x"] {
            assert!(!is_this_machine(there), "{there}");
        }
    }

    #[test]
    fn an_image_is_called_by_the_last_part_of_its_reference() {
        for (reference, name) in [
            ("nginx", "nginx"),
            ("nginx:1.25", "nginx"),
            ("localhost:5000/a/b", "b"),
            ("quay.io/a/b:1@sha256:00", "b"),
        ] {
            assert_eq!(short_name(reference), name);
        }
    }

    #[test]
    fn the_reason_is_found_in_what_skopeo_says() {
        let words = "time=\"2026\" level=warning msg=\"slow\"\n\
                     time=\"2026\" level=fatal msg=\"reading \\\"x\\\": \
                     unauthorized: log in\"\n";
        let explained = explained("quay.io/a/b", words);
        assert!(explained.starts_with("reading 'x': unauth"), "{explained}");
        assert!(explained.ends_with("skopeo login quay.io"), "{explained}");
    }
}
