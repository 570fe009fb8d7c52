//! Reads an OCI image layout: the folder that `skopeo copy … oci:DIR`,
//! `umoci`, `buildah push` and, inside a tar, `docker save` write.
//!
//! index.json names a manifest, the manifest names layers, and every name is
//! the SHA-256 of what it names. So after the first file nothing needs to be
//! trusted: each blob is checked against its name before it is looked at.
//!
//! Source: OCI image specification 1.1, image-layout.md, image-index.md,
//! manifest.md, descriptor.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::digest;
use crate::text::malformed;

/// JSON in an image is small. More than this is an attack on our memory.
const JSON_LIMIT: u64 = 4 << 20;

/// Indexes within indexes: two are usual, a circle is impossible (each would
/// have to contain its own hash), a long chain is nonsense.
const DEPTH_LIMIT: usize = 4;

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

/// The same two fields are in a descriptor and in an image's configuration.
#[derive(Clone, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// A manifest that might be the one, and the tag it goes by.
struct Candidate {
    tag: Option<String>,
    descriptor: Descriptor,
}

/// True when `folder` holds an image layout.
#[must_use]
pub fn is_layout(folder: &Path) -> bool {
    folder.join("oci-layout").is_file() && folder.join("index.json").is_file()
}

/// The layers of the image for `architecture`, lowest first, each a file that
/// has been checked. `tag` chooses among several images.
///
/// # Errors
/// No image is for this architecture; several are, and no tag says which; or a
/// blob is missing or is not what its name promises.
pub fn layers(
    layout: &Path,
    architecture: &str,
    tag: Option<&str>,
) -> Result<Vec<PathBuf>> {
    let index = layout.join("index.json");
    let index: Index = parse(&read_json(&index)?, "index.json")?;
    let mut candidates = Vec::new();
    collect(layout, index, None, 0, &mut candidates)?;
    let manifest = choose(layout, candidates, architecture, tag)?;
    let layers = manifest.layers.iter();
    layers.map(|layer| checked(layout, layer, "the layer")).collect()
}

/// Flattens indexes within indexes. A tag stands at the outermost one.
fn collect(
    layout: &Path,
    index: Index,
    tag: Option<&str>,
    depth: usize,
    found: &mut Vec<Candidate>,
) -> Result<()> {
    ensure!(depth < DEPTH_LIMIT, "read the image: its indexes never end");
    for descriptor in index.manifests {
        let tag = tag.or_else(|| tag_of(&descriptor)).map(String::from);
        let kind = descriptor.media_type.as_str();
        if kind.contains("image.index") || kind.contains("manifest.list") {
            let inner = blob(layout, &descriptor, "the index")?;
            collect(layout, inner, tag.as_deref(), depth + 1, found)?;
        } else {
            found.push(Candidate { tag, descriptor });
        }
    }
    Ok(())
}

fn tag_of(descriptor: &Descriptor) -> Option<&str> {
    // containerd (and so Docker) keeps the full name here, others the tag.
    ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
        .iter()
        .find_map(|key| descriptor.annotations.get(*key))
        .map(String::as_str)
}

/// The one manifest for this architecture (and tag).
fn choose(
    layout: &Path,
    candidates: Vec<Candidate>,
    architecture: &str,
    tag: Option<&str>,
) -> Result<Manifest> {
    // By hash: two tags of one image are one image.
    let mut fitting = BTreeMap::new();
    let mut others = BTreeSet::new();
    for Candidate { tag: name, descriptor } in candidates {
        let name = name.unwrap_or_else(|| "untagged".into());
        let platform = platform_of(layout, &descriptor)?;
        let right = platform.os == "linux"
            && platform.architecture == architecture
            && tag.is_none_or(|tag| tag == name);
        if right {
            fitting.insert(descriptor.digest.clone(), (name, descriptor));
        } else {
            others.insert(format!("{name} ({})", platform.architecture));
        }
    }
    let mut fitting = fitting.into_values();
    match (fitting.next(), fitting.next()) {
        (Some((_, only)), None) => blob(layout, &only, "the manifest"),
        (Some((one, _)), Some((two, _))) => bail!(
            "choose among the images in the layout: it has {one}, {two}{}; \
             say which by --tag",
            fitting.map(|(name, _)| format!(", {name}")).collect::<String>()
        ),
        (None, _) => bail!(
            "find an image for linux/{architecture}{} in the layout: it has \
             {}; fetch it with --platform linux/{architecture}",
            tag.map(|tag| format!(" tagged {tag}")).unwrap_or_default(),
            Vec::from_iter(others).join(", ")
        ),
    }
}

/// What an image runs on: from its descriptor, else from its configuration.
fn platform_of(layout: &Path, descriptor: &Descriptor) -> Result<Platform> {
    if let Some(platform) = &descriptor.platform {
        return Ok(platform.clone());
    }
    let manifest: Manifest = blob(layout, descriptor, "the manifest")?;
    blob(layout, &manifest.config, "the image configuration")
}

/// Reads a checked blob of JSON.
fn blob<T: DeserializeOwned>(
    layout: &Path,
    descriptor: &Descriptor,
    what: &str,
) -> Result<T> {
    let path = checked(layout, descriptor, what)?;
    parse(&read_json(&path)?, what)
}

/// The file of a blob whose size and SHA-256 are what its descriptor says.
fn checked(
    layout: &Path,
    descriptor: &Descriptor,
    what: &str,
) -> Result<PathBuf> {
    let Descriptor { digest, size, .. } = descriptor;
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    // The name becomes part of a path: let nothing but digits through.
    ensure!(
        digest::is_sha256(hex),
        "find {what} {digest}: only names of the form sha256:HEX are known"
    );
    let path = layout.join("blobs/sha256").join(hex);
    let damaged = || {
        format!("check {what} {digest}: it is damaged, fetch the image again")
    };
    let metadata = fs::symlink_metadata(&path)
        .with_context(|| format!("find {what} {digest} in the layout"))?;
    ensure!(metadata.is_file(), "find {what} {digest}: it is not a file");
    if metadata.len() != *size {
        let actual = metadata.len();
        let problem = format!("it has {actual} bytes and must have {size}");
        return Err(anyhow::Error::msg(problem)).with_context(damaged);
    }
    digest::check(&path, hex).with_context(damaged)?;
    Ok(path)
}

fn read_json(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path).with_context(|| {
        format!("read {}: is it a whole image layout?", path.display())
    })?;
    file.take(JSON_LIMIT + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    let size = u64::try_from(text.len())?;
    ensure!(size <= JSON_LIMIT, "read {}: too large", path.display());
    Ok(text)
}

fn parse<T: DeserializeOwned>(json: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| {
        let fault = malformed(&error);
        anyhow!("understand {what} of the image layout: {fault}")
    })
}
