//! Reads an OCI image layout: the folder that `skopeo copy … oci:DIR`,
//! `umoci`, `buildah push` and, inside a tar, `docker save` write.
//!
//! index.json names a manifest, the manifest names layers, and every name is
//! the SHA-256 of what it names. So after the first file nothing needs to be
//! trusted: each blob is checked against its name before it is looked at.
//!
//! A layout holds more than images: signatures, lists of contents, charts. What
//! is not known here is passed over, as the specification wants it; so is what
//! cannot be read, as long as it is not the one that was asked for.
//!
//! Source: OCI image specification 1.1, image-layout.md, image-index.md,
//! manifest.md, descriptor.md.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use step04::imported::Configuration;

use super::digest;
use crate::arch;
use crate::text::{malformed, quoted};

/// JSON in an image is small. More than this is an attack on our memory.
const JSON_LIMIT: u64 = 4 << 20;

/// And all of it together: an index may name the same blob many times.
const JSON_SUM: u64 = 64 << 20;

/// What even the smallest counts for: to open and check it takes its time.
const JSON_LEAST: u64 = 1 << 10;

/// What indexes name, all together.
const NAMED_LIMIT: usize = 10_000;

/// Indexes within indexes: two are usual, a circle is impossible (each would
/// have to contain its own hash), a long chain is nonsense.
const DEPTH_LIMIT: usize = 4;

/// overlayfs stacks no more (OVL_MAX_STACK, fs/overlayfs/params.h).
const LAYER_LIMIT: usize = 500;

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONFIGURATIONS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What an image runs on. The same fields are in a descriptor and in an
/// image's configuration.
#[derive(Clone, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    variant: String,
    #[serde(default, rename = "os.features")]
    features: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    artifact_type: String,
}

/// What matters of an image's configuration beside its platform.
#[derive(Deserialize)]
struct Said {
    config: Option<Configuration>,
}

/// A manifest that might be the one, and the names it goes by.
#[derive(Clone)]
struct Candidate {
    names: Vec<String>,
    descriptor: Descriptor,
}

/// What a manifest turned out to be.
enum Found {
    /// An image for this machine.
    Fits,
    /// An image for another.
    Elsewhere(String),
    /// No image: an artifact, a signature.
    Other,
    /// It cannot be read.
    Broken(Error),
}

/// True when `folder` holds an image layout.
#[must_use]
pub fn is_layout(folder: &Path) -> bool {
    // From a tar it could be a link to one of the machine's files.
    ["oci-layout", "index.json"].iter().all(|name| {
        let data = folder.join(name).symlink_metadata();
        data.is_ok_and(|data| data.is_file())
    })
}

/// An image of a layout.
#[derive(Debug)]
pub struct Image {
    /// Its layers, lowest first, each a file that has been checked.
    pub layers: Vec<PathBuf>,
    /// The name of its manifest, and so of all that is in it.
    pub digest: String,
    /// What it says to those who say nothing themselves.
    pub configuration: Configuration,
}

/// The image for `architecture`. `tag` chooses among several.
///
/// # Errors
/// No image is for this architecture; several are, and no tag says which; or a
/// blob of the chosen one is missing or is not what its name promises.
pub fn image(
    layout: &Path,
    architecture: &str,
    tag: Option<&str>,
) -> Result<Image> {
    let layout = Layout { root: layout, json: Cell::new(0) };
    let index = layout.root.join("index.json");
    let index: Index = parse(&layout.read_json(&index)?, "index.json")?;
    let mut candidates = Vec::new();
    collect(&layout, index, &[], 0, &mut candidates)?;
    if let Some(tag) = tag {
        let all = candidates.clone();
        candidates.retain(|candidate| candidate.is_called(tag));
        ensure!(
            !candidates.is_empty(),
            "find the tag {} in the layout: it has {}",
            quoted(tag),
            names(&all)
        );
    }
    let chosen = choose(candidates, &layout, architecture)?;
    let manifest: Manifest = layout.blob(&chosen, "the manifest")?;
    let count = manifest.layers.len();
    ensure!(
        count <= LAYER_LIMIT,
        "stack {count} layers: overlayfs takes {LAYER_LIMIT} at most"
    );
    let layers = manifest.layers.iter();
    let layers = layers.map(|layer| layout.checked(layer, "the layer"));
    let said: Said =
        layout.blob(&manifest.config, "the image configuration")?;
    Ok(Image {
        layers: layers.collect::<Result<_>>()?,
        digest: chosen.digest,
        configuration: said.config.unwrap_or_default(),
    })
}

/// Flattens indexes within indexes. A tag stands at the outermost one.
fn collect(
    layout: &Layout<'_>,
    index: Index,
    above: &[String],
    depth: usize,
    found: &mut Vec<Candidate>,
) -> Result<()> {
    ensure!(depth < DEPTH_LIMIT, "read the image: its indexes never end");
    for descriptor in index.manifests {
        let own = names_of(&descriptor);
        let names = if above.is_empty() { own } else { above.to_vec() };
        let kind = descriptor.media_type.as_str();
        if INDEXES.contains(&kind) {
            let inner = layout.blob(&descriptor, "the index")?;
            collect(layout, inner, &names, depth + 1, found)?;
        } else if MANIFESTS.contains(&kind) || is_unsaid(kind) {
            found.push(Candidate { names, descriptor });
        }
        ensure!(
            found.len() <= NAMED_LIMIT,
            "read the image: it names more than {NAMED_LIMIT} others"
        );
    }
    Ok(())
}

/// A media type has a slash in it (RFC 6838). What has none says nothing, and
/// is looked at.
fn is_unsaid(kind: &str) -> bool {
    !kind.contains('/')
}

/// containerd (and so Docker) keeps the full name in one place, others the tag
/// in the other; `docker save` writes both.
fn names_of(descriptor: &Descriptor) -> Vec<String> {
    ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
        .iter()
        .filter_map(|key| descriptor.annotations.get(*key).cloned())
        .collect()
}

impl Candidate {
    /// By its full name, its tag alone, or the tag in its full name.
    fn is_called(&self, tag: &str) -> bool {
        let last = |name: &str| {
            let name = name.rsplit('/').next().unwrap_or_default();
            name.split_once(':').map(|(_, tag)| tag.to_owned())
        };
        let mut names = self.names.iter();
        names.any(|name| name == tag || last(name).as_deref() == Some(tag))
    }

    fn name(&self) -> String {
        let name = self.names.first().map(quoted);
        name.unwrap_or_else(|| "one without a tag".into())
    }
}

/// The names of all of them, in order, each once.
fn names(candidates: &[Candidate]) -> String {
    let names: BTreeSet<String> =
        candidates.iter().map(Candidate::name).collect();
    match names.is_empty() {
        true => "no image".into(),
        false => some(names),
    }
}

/// A list for people, who do not read a thousand names.
fn some(all: BTreeSet<String>) -> String {
    let more = all.len().saturating_sub(10);
    let list: Vec<String> = all.into_iter().take(10).collect();
    match more {
        0 => list.join(", "),
        more => format!("{} and {more} more", list.join(", ")),
    }
}

/// The one manifest for this machine. Where an index has several that fit, the
/// first counts (image-index.md); of several names one has to be chosen.
fn choose(
    candidates: Vec<Candidate>,
    layout: &Layout<'_>,
    architecture: &str,
) -> Result<Descriptor> {
    let mut fitting: Vec<Candidate> = Vec::new();
    let (mut others, mut broken) = (BTreeSet::new(), None);
    for candidate in candidates {
        match layout.look(&candidate.descriptor, architecture) {
            Found::Fits => {
                let is_new = fitting.iter().all(|other| {
                    other.names != candidate.names
                        && other.descriptor.digest
                            != candidate.descriptor.digest
                });
                if is_new {
                    fitting.push(candidate);
                }
            }
            Found::Elsewhere(platform) => {
                others.insert(format!("{} ({platform})", candidate.name()));
            }
            Found::Other => {}
            Found::Broken(error) => broken = broken.or(Some(error)),
        }
    }
    let mut fitting = fitting.into_iter();
    match (fitting.next(), fitting.next(), broken) {
        (Some(only), None, _) => Ok(only.descriptor),
        (Some(one), Some(two), _) => {
            let all = [one, two].into_iter().chain(fitting);
            let all: Vec<Candidate> = all.collect();
            bail!(
                "choose among the images in the layout: it has {}; say which \
                 by --tag",
                names(&all)
            )
        }
        (None, _, Some(error)) => Err(error),
        (None, ..) if others.is_empty() => Err(anyhow!(
            "find an image in the layout: what is in it is none, but \
             signatures, artifacts or the like"
        )),
        (None, ..) => bail!(
            "find an image for linux/{architecture} in the layout: it has \
             {}; fetch it with --platform linux/{architecture}",
            some(others)
        ),
    }
}

impl Platform {
    /// Does this machine run it? A variant is a newer processor of the family
    /// (image-index.md, "Platform Variants"; for amd64, the levels of the
    /// x86-64 psABI). `os.version` is of no use for Linux, and is not looked
    /// at; a feature that an image demands is none that we know.
    fn fits(&self, architecture: &str) -> bool {
        self.os == "linux"
            && self.architecture == architecture
            && arch::runs_variant(&self.variant)
            && self.features.is_empty()
    }

    fn name(&self) -> String {
        let mut parts = vec![&*self.os, &*self.architecture, &*self.variant];
        parts.retain(|part| !part.is_empty() && *part != "linux");
        let name = quoted(&parts.join("/"));
        name.trim_matches('"').to_owned()
    }
}

/// A layout that is being read.
struct Layout<'a> {
    root: &'a Path,
    /// Bytes of JSON read so far.
    json: Cell<u64>,
}

impl Layout<'_> {
    /// What a manifest is, from its descriptor, else from its configuration.
    fn look(&self, descriptor: &Descriptor, architecture: &str) -> Found {
        if let Some(platform) = &descriptor.platform {
            // Docker calls its attestations "unknown".
            if !platform.architecture.is_empty()
                && !platform.fits(architecture)
            {
                return Found::Elsewhere(platform.name());
            }
        }
        match self.platform_of(descriptor) {
            Ok(None) => Found::Other,
            Ok(Some(platform)) if platform.fits(architecture) => Found::Fits,
            Ok(Some(platform)) => Found::Elsewhere(platform.name()),
            Err(error) => Found::Broken(error),
        }
    }

    /// `None` if it is no image. A configuration of a type that is not known
    /// must not be looked into (manifest.md, "config").
    fn platform_of(
        &self,
        descriptor: &Descriptor,
    ) -> Result<Option<Platform>> {
        let manifest: Manifest = self.blob(descriptor, "the manifest")?;
        let kind = manifest.config.media_type.as_str();
        let is_image = CONFIGURATIONS.contains(&kind) || is_unsaid(kind);
        if !is_image || !manifest.artifact_type.is_empty() {
            return Ok(None);
        }
        let config = &manifest.config;
        let mut own: Platform =
            self.blob(config, "the image configuration")?;
        // cosign's signatures have a configuration that says nothing.
        if own.architecture.is_empty() && own.os.is_empty() {
            return Ok(None);
        }
        // The descriptor knows better which variant it is.
        if let Some(platform) = &descriptor.platform {
            if !platform.architecture.is_empty() {
                own = platform.clone();
            }
        }
        Ok(Some(own))
    }

    /// Reads a checked blob of JSON.
    fn blob<T: DeserializeOwned>(
        &self,
        descriptor: &Descriptor,
        what: &str,
    ) -> Result<T> {
        let Descriptor { digest, size, .. } = descriptor;
        ensure!(
            *size <= JSON_LIMIT,
            "read {what} {}: too large",
            quoted(digest)
        );
        let path = self.checked(descriptor, what)?;
        parse(&self.read_json(&path)?, what)
    }

    /// The file of a blob whose size and SHA-256 are what its descriptor says.
    fn checked(&self, descriptor: &Descriptor, what: &str) -> Result<PathBuf> {
        let Descriptor { digest, size, .. } = descriptor;
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let digest = quoted(digest);
        let digest = digest.trim_matches('"');
        // The name becomes part of a path: let nothing but digits through.
        ensure!(
            digest::is_sha256(hex),
            "find {what} {digest}: only names of the form sha256:HEX are known"
        );
        let path = self.root.join("blobs/sha256").join(hex);
        let damaged = || {
            format!(
                "check {what} {digest}: it is damaged, fetch the image again"
            )
        };
        let metadata = fs::symlink_metadata(&path)
            .with_context(|| format!("find {what} {digest} in the layout"))?;
        ensure!(metadata.is_file(), "find {what} {digest}: it is not a file");
        if metadata.len() != *size {
            let actual = metadata.len();
            let problem =
                format!("it has {actual} bytes and must have {size}");
            return Err(Error::msg(problem)).with_context(damaged);
        }
        digest::check(&path, hex).with_context(damaged)?;
        Ok(path)
    }

    fn read_json(&self, path: &Path) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let shown = path.display();
        let file = File::open(path).with_context(|| {
            format!("read {shown}: is it a whole image layout?")
        })?;
        file.take(JSON_LIMIT + 1)
            .read_to_end(&mut text)
            .with_context(|| format!("read {shown}"))?;
        let size = u64::try_from(text.len())?;
        self.json.set(self.json.get() + size.max(JSON_LEAST));
        ensure!(
            size <= JSON_LIMIT && self.json.get() <= JSON_SUM,
            "read {shown}: too large"
        );
        Ok(text)
    }
}

fn parse<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        let fault = malformed(&error);
        anyhow!("understand {what} of the image layout: {fault}")
    })
}
