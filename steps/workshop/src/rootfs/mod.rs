//! `workshop rootfs`: gets a root filesystem for a container.
//!
//! Without a source it makes `target/rootfs` out of this machine's own
//! programs. With one it imports an image into `target/images/NAME`: a tar as
//! one tree, an image layout as one directory for each layer, which step04
//! stacks.
//!
//! - [`download`] and [`digest`] - a file from elsewhere, and whether it is the
//!   one that is meant; [`archive`] opens it, [`mod@unpack`] unpacks it.
//! - [`mod@tar`] - what an archive says; [`attributes`] - what of that a file
//!   can have; [`budget`] - how much of it there may be.
//! - [`registry`] - an image by its name; [`oci`] - the layers of a layout; [`whiteout`] - what one of them
//!   deletes, as overlayfs understands it.
//! - [`store`] - where images lie; [`mod@remove`] - how a tree is removed.

mod archive;
mod attributes;
mod budget;
mod digest;
mod download;
mod oci;
mod registry;
pub mod remove;
pub mod store;
mod tar;
mod unpack;
mod whiteout;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use step03::rootfs::{self, Source};
use step04::imported::Record;

use crate::arch;
use crate::progress::Progress;
use crate::text::{quoted, shown, size, tell};
use attributes::LeftOut;
use budget::{Budget, Limits};
use remove::remove;
use store::Staging;
use unpack::{Unpacked, unpack};
use whiteout::Layer;

/// What `workshop rootfs` is asked for.
#[derive(Args, Debug)]
pub struct Rootfs {
    /// What to make or import
    ///
    /// (nothing)       target/rootfs, from busybox or this machine's programs
    /// busybox | host  the same, from just that
    /// alpine          Alpine Linux, a download of 4 MB
    /// FILE.tar[.gz]   any tar: docker export, docker save, podman save
    ///                 --format oci-archive; .zst, .xz, .bz2 too; - for stdin
    /// docker://NAME   an image by name, from Docker Hub or another registry:
    ///                 docker://nginx:1.25, docker://quay.io/... (by skopeo)
    /// DIR             an OCI image layout (skopeo copy ... oci:DIR)
    /// URL             a tar from the network, with --sha256
    #[arg(verbatim_doc_comment)]
    source: Option<String>,

    /// Call the image NAME (default: after its source)
    #[arg(long, requires = "source")]
    name: Option<String>,

    /// What the SHA-256 of the tar must be
    #[arg(long, value_name = "HEX", requires = "source")]
    #[arg(value_parser = sha256)]
    sha256: Option<String>,

    /// Which image of a layout that holds several
    #[arg(long, value_name = "TAG", requires = "source")]
    tag: Option<String>,

    /// Replace what is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    limits: Limits,
}

fn sha256(text: &str) -> Result<String, String> {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    let valid = digest::is_sha256(text).then(|| text.to_owned());
    valid.ok_or_else(|| "it takes 64 hexadecimal digits".into())
}

/// Does what was asked for and prints what came of it.
///
/// # Errors
/// The source is not there, not what it must be, or cannot be unpacked.
/// Nothing is left behind then.
pub fn run(args: &Rootfs, out: &mut impl Write) -> Result<()> {
    match args.source.as_deref() {
        None => own(&Source::find(), args, out),
        Some("host") => own(&Source::Host, args, out),
        Some("busybox") => match Source::find() {
            Source::Host => bail!(
                "find a static busybox on this machine: install \
                 busybox-static, or leave the word out"
            ),
            found @ Source::Busybox(_) => own(&found, args, out),
        },
        Some("alpine") => alpine(args, out),
        Some(source) => import(source, args, out),
    }
}

/// Makes `target/rootfs` as every rung from step03 on does on first need.
fn own(source: &Source, args: &Rootfs, out: &mut impl Write) -> Result<()> {
    let path = rootfs::default_path()?;
    if path.exists() && args.force {
        remove(&path)?;
    }
    if path.exists() {
        let path = shown(&path);
        writeln!(out, "{path} is there already; --force makes it anew")?;
        return Ok(());
    }
    rootfs::make(&path, source)?;
    writeln!(out, "step into it:\n  cargo run -p step03")?;
    Ok(())
}

fn alpine(args: &Rootfs, out: &mut impl Write) -> Result<()> {
    let here = arch::here()?;
    let (arch, sha256) = here.alpine.with_context(|| {
        format!(
            "find Alpine Linux for {}: no hash is pinned for it; import a \
             tar of it by URL and --sha256",
            here.rust
        )
    })?;
    let version = arch::ALPINE;
    let branch = version.rsplit_once('.').map_or(version, |(up, _)| up);
    let url = format!(
        "https://dl-cdn.alpinelinux.org/alpine/v{branch}/releases/{arch}/\
         alpine-minirootfs-{version}-{arch}.tar.gz"
    );
    let import = Import::begin("alpine", args)?;
    let tar = import.staging.scratch("download");
    fetch(&url, sha256, &tar, &import.budget)?;
    import.tar(&tar, out)
}

/// A source that is a place: an address, stdin, a folder or a file.
fn import(source: &str, args: &Rootfs, out: &mut impl Write) -> Result<()> {
    if let Some(reference) = source.strip_prefix("docker://") {
        return import_reference(reference, args, out);
    }
    if source.contains("://") {
        return import_address(source, args, out);
    }
    if source == "-" {
        // `docker export NAME | cargo workshop rootfs - --name NAME`.
        return Import::begin("stdin", args)?.stream(&mut io::stdin(), out);
    }
    let path = Path::new(source);
    let metadata = path.metadata().with_context(|| {
        format!("find {source}: name alpine, a file, a folder or an address")
    })?;
    if metadata.is_dir() {
        return import_folder(path, args, out);
    }
    let import = Import::begin(source, args)?;
    if metadata.is_file() {
        return import.file(path, out);
    }
    // A pipe, as in `rootfs <(docker export …)`, can be read but once.
    let file = fs::File::open(path);
    import.stream(&mut file.with_context(|| format!("open {source}"))?, out)
}

fn import_address(
    url: &str,
    args: &Rootfs,
    out: &mut impl Write,
) -> Result<()> {
    let sha256 = args.sha256.as_ref().with_context(|| {
        format!("fetch {url}: --sha256 must say what it has to be")
    })?;
    let import = Import::begin(url, args)?;
    let tar = import.staging.scratch("download");
    fetch(url, sha256, &tar, &import.budget)?;
    import.tar(&tar, out)
}

/// An image that a registry has.
fn import_reference(
    reference: &str,
    args: &Rootfs,
    out: &mut impl Write,
) -> Result<()> {
    ensure!(
        args.sha256.is_none() && args.tag.is_none(),
        "fetch {}: its name says which: NAME:TAG, or NAME@sha256:HEX",
        quoted(reference)
    );
    let name = registry::short_name(reference);
    let mut import = Import::begin(name, args)?;
    let scratch = import.staging.scratch("fetched");
    tell(format_args!("fetching {}", quoted(reference)));
    let layout = registry::fetch(reference, &scratch, &import.budget)?;
    import.reference = Some(reference.into());
    import.layout(&layout, out)
}

fn import_folder(
    folder: &Path,
    args: &Rootfs,
    out: &mut impl Write,
) -> Result<()> {
    let name = folder.display();
    ensure!(
        oci::is_layout(folder),
        "import the folder {name}: it is no image layout (index.json). A root \
         filesystem needs no import: step03 --rootfs {name}"
    );
    ensure!(
        args.sha256.is_none(),
        "check the folder {name}: --sha256 is for tars; a layout is checked \
         against itself"
    );
    Import::begin(&name.to_string(), args)?.layout(folder, out)
}

/// `./dir/Debian_12.tar.gz` is called `Debian_12`.
fn name_after(source: &str) -> String {
    let last = source.trim_end_matches('/').rsplit('/').next();
    let mut name = last.unwrap_or_default();
    for ending in [".gz", ".tgz", ".zst", ".xz", ".bz2", ".tar"] {
        name = name.strip_suffix(ending).unwrap_or(name);
    }
    name.to_owned()
}

fn fetch(url: &str, sha256: &str, tar: &Path, budget: &Budget) -> Result<()> {
    tell(format_args!("fetching {url}"));
    download::fetch(url, tar, budget)?;
    digest::check(tar, sha256).with_context(|| {
        format!("check {url}: it is not what it should be, nothing was kept")
    })
}

/// An import that has begun.
struct Import<'a> {
    staging: Staging,
    args: &'a Rootfs,
    budget: Budget,
    /// What a registry calls it, if it is from one.
    reference: Option<String>,
}

impl<'a> Import<'a> {
    fn begin(source: &str, args: &'a Rootfs) -> Result<Self> {
        let name = args.name.clone().unwrap_or_else(|| name_after(source));
        let staging = Staging::begin(&name, args.force)?;
        let budget = Budget::new(&args.limits);
        Ok(Self { staging, args, budget, reference: None })
    }

    /// What can be read only once is copied first.
    fn stream(
        self,
        input: &mut impl Read,
        out: &mut impl Write,
    ) -> Result<()> {
        let tar = self.staging.scratch("stream");
        let mut file = fs::File::create(&tar).context("make a file for it")?;
        let mut input = Progress::bytes("reading stdin", None).of(input);
        self.budget
            .copy(&mut input, &mut file)
            .context("copy what comes through the pipe")?;
        self.file(&tar, out)
    }

    /// A file of the learner's, checked only when they gave a hash.
    fn file(self, tar: &Path, out: &mut impl Write) -> Result<()> {
        if let Some(sha256) = &self.args.sha256 {
            digest::check(tar, sha256)
                .with_context(|| format!("check {}", shown(tar)))?;
        }
        self.tar(tar, out)
    }

    /// Only unpacking tells what a tar holds: a root filesystem, or
    /// an image layout, whose layers are tars again.
    fn tar(self, tar: &Path, out: &mut impl Write) -> Result<()> {
        let tree = self.staging.tree();
        let mut unpacked = self.unpack(tar, &tree, None)?;
        if oci::is_layout(&tree) {
            let layout = self.staging.scratch("layout");
            fs::rename(&tree, &layout)
                .and_then(|()| fs::create_dir(&tree))
                .context("make room for the layers")?;
            return self.layout(&layout, out);
        }
        let file = shown(tar);
        ensure!(unpacked.entries > 0, "unpack {file}: there is nothing in it");
        ensure!(
            !tree.join("manifest.json").is_file(),
            "import {file}: this is the archive that Docker wrote before \
             version 25, and podman without --format oci-archive, with no \
             image layout in it. skopeo copy docker-archive:{file} oci:DIR \
             makes one of it"
        );
        unpacked.seal()?;
        report(&[unpacked], out)?;
        let image = self.staging.commit(None)?;
        writeln!(out, "step into it, or stack it:")?;
        writeln!(out, "  cargo run -p step03 -- --rootfs {}", shown(&image))?;
        run_it(&image, out)
    }

    fn unpack(
        &self,
        tar: &Path,
        to: &Path,
        below: Option<&[Layer]>,
    ) -> Result<Unpacked> {
        unpack(archive::open(tar)?, to, below, &self.budget)
            .with_context(|| format!("unpack {}", shown(tar)))
    }

    fn layout(self, layout: &Path, out: &mut impl Write) -> Result<()> {
        let architecture = arch::here()?.image;
        let tag = self.args.tag.as_deref();
        let image = oci::image(layout, architecture, tag)?;
        let count = image.layers.len();
        ensure!(count > 0, "import the image: it has no layers");
        let layers = self.layers(&image.layers)?;
        let unpacked: Vec<_> =
            layers.into_iter().map(|layer| layer.unpacked).collect();
        report(&unpacked, out)?;
        let record = Record {
            reference: self.reference,
            digest: Some(image.digest),
            layers: count,
            config: image.configuration,
        };
        let image = self.staging.commit(Some(&record))?;
        writeln!(out, "its layers are in {}; stack them:", shown(&image))?;
        run_it(&image, out)
    }

    /// Each layer into a directory of its own, 0 1 2 …, lowest first. Modes
    /// come last of all, since deletions are looked up in the layers below.
    fn layers(&self, files: &[PathBuf]) -> Result<Vec<Layer>> {
        let tree = self.staging.tree();
        let mut layers: Vec<Layer> = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let root = tree.join(number.to_string());
            fs::create_dir(&root)
                .with_context(|| format!("make {}", shown(&root)))?;
            let unpacked = self.unpack(file, &root, Some(&layers))?;
            let mut layer = Layer { root, unpacked };
            layer.hide(&layers, &self.budget)?;
            layers.push(layer);
        }
        for layer in &mut layers {
            layer.unpacked.seal()?;
        }
        Ok(layers)
    }
}

/// How the image is used from here on.
fn run_it(image: &Path, out: &mut impl Write) -> Result<()> {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    writeln!(out, "  cargo run -p step04 -- --image {name}")?;
    writeln!(out, "  cargo run -p step11 -- run {name}")?;
    Ok(())
}

/// One line on what came in, and one on what was left out.
fn report(unpacked: &[Unpacked], out: &mut impl Write) -> Result<()> {
    let sum = |of: fn(&Unpacked) -> u64| unpacked.iter().map(of).sum::<u64>();
    let entries = sum(|one| one.entries);
    let bytes = size(sum(|one| one.bytes));
    match unpacked.len() {
        1 => writeln!(out, "{entries} entries, {bytes}")?,
        count => writeln!(out, "{entries} entries, {bytes}, {count} layers")?,
    }
    let LeftOut { devices, owners, bits, attributes } = LeftOut {
        devices: sum(|one| one.left_out.devices),
        owners: sum(|one| one.left_out.owners),
        bits: sum(|one| one.left_out.bits),
        attributes: sum(|one| one.left_out.attributes),
    };
    let all = [
        (devices, "device node", " (a container gets its own /dev)"),
        (owners, "owner", " (root alone can give files away)"),
        (bits, "set-user-ID bit", " of those"),
        (attributes, "extended attribute", ""),
    ];
    let some = all.iter().filter(|(count, ..)| *count > 0);
    let some = some.map(|(count, what, why)| {
        let s = if *count == 1 { "" } else { "s" };
        format!("{count} {what}{s}{why}")
    });
    let some: Vec<String> = some.collect();
    if !some.is_empty() {
        writeln!(out, "left out: {}", some.join(", "))?;
    }
    Ok(())
}
