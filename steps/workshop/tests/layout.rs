//! `workshop rootfs` on OCI image layouts that are built here, blob by blob.

mod target;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::EntryType::{Directory, Regular};
use target::{Line, Target, mode, names, output_of, tar_of};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// This machine's architecture and another one, as images call them.
fn here_and_elsewhere() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("amd64", "arm64"),
        "aarch64" => ("arm64", "amd64"),
        _ => ("386", "amd64"),
    }
}

/// A layout that is being built.
struct Layout(PathBuf);

impl Layout {
    fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(path.join("blobs/sha256"))?;
        fs::write(
            path.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        Ok(Self(path))
    }

    /// Stores a blob under its hash and returns its descriptor.
    fn blob(&self, kind: &str, bytes: &[u8]) -> Result<Value> {
        let digits = Sha256::digest(bytes);
        let digits = digits.iter().map(|byte| format!("{byte:02x}"));
        let hex: String = digits.collect();
        fs::write(self.0.join("blobs/sha256").join(&hex), bytes)?;
        let digest = format!("sha256:{hex}");
        Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
    }

    /// An image of these layers, lowest first; the descriptor of its manifest.
    fn image(&self, arch: &str, layers: &[&[Line<'_>]]) -> Result<Value> {
        let config = json!({"architecture": arch, "os": "linux"}).to_string();
        let config = self.blob("config", config.as_bytes())?;
        let layers =
            layers.iter().map(|lines| self.blob("layer", &tar_of(lines)?));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let manifest = json!({"config": config, "layers": layers});
        self.blob(MANIFEST, manifest.to_string().as_bytes())
    }

    fn index(&self, manifests: &[Value]) -> Result<()> {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        Ok(fs::write(self.0.join("index.json"), index.to_string())?)
    }
}

/// The same descriptor with a platform or an annotation.
fn with(descriptor: &Value, key: &str, value: Value) -> Value {
    let mut descriptor = descriptor.clone();
    descriptor[key] = value;
    descriptor
}

/// A target folder with a layout `image` of these layers for this machine.
fn target_with(layers: &[&[Line<'_>]]) -> Result<Target> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let image = layout.image(here_and_elsewhere().0, layers)?;
    layout.index(&[image])?;
    Ok(target)
}

/// What overlayfs takes for a deletion.
fn is_whiteout(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| {
        data.file_type().is_char_device() && data.rdev() == 0
    })
}

/// All whiteouts in a layer, by relative path.
fn whiteouts(root: &Path) -> Result<BTreeSet<String>> {
    let list = witness::command("find")
        .args([".", "-type", "c"])
        .current_dir(root)
        .output()?;
    let list = output_of(list)?;
    let paths = list.lines().map(|path| path.trim_start_matches("./"));
    assert!(paths.clone().all(|path| is_whiteout(&root.join(path))));
    Ok(paths.map(String::from).collect())
}

const BASE: &[Line<'_>] = &[
    (Directory, "etc", ""),
    (Regular, "etc/keep", "base"),
    (Regular, "etc/gone", "base"),
    (Directory, "old", ""),
    (Regular, "old/a", "base"),
    (Directory, "old/sub", ""),
    (Regular, "old/sub/b", "base"),
    (Regular, "old/sub/c", "base"),
];

#[test]
fn layers_come_lowest_first_with_flags_to_copy() -> Result<()> {
    let target = target_with(&[
        &[(Regular, "zero", "")],
        &[(Regular, "one", "")],
        &[(Regular, "two", "")],
    ])?;
    let printed = target.run(&["rootfs", "image"])?;
    let flags: Vec<_> = printed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--image "))
        .map(|flag| flag.trim_end_matches([' ', '\\']))
        .collect();
    assert_eq!(flags.len(), 3, "{printed}");
    for (flag, name) in flags.iter().zip(["zero", "one", "two"]) {
        assert_eq!(names(&target.path(flag))?, [name]);
    }
    Ok(())
}

#[test]
fn deletions_become_whiteouts() -> Result<()> {
    let target = target_with(&[
        BASE,
        &[
            (Regular, "etc/.wh.gone", ""),
            // Nothing of these is below: nothing to hide, no error.
            (Regular, "etc/.wh.never", ""),
            (Regular, "no/such/.wh.folder", ""),
            (Regular, "etc/keep/.wh.under-a-file", ""),
        ],
        // And once hidden it is gone for the layers above.
        &[(Regular, "etc/.wh.gone", ""), (Regular, "etc/.wh.keep", "")],
    ])?;
    target.run(&["rootfs", "image"])?;
    let image = target.path("images/image");
    assert_eq!(whiteouts(&image.join("0"))?, BTreeSet::new());
    assert_eq!(whiteouts(&image.join("1"))?, ["etc/gone".into()].into());
    assert_eq!(whiteouts(&image.join("2"))?, ["etc/keep".into()].into());
    assert!(!image.join("1/no").exists());
    Ok(())
}

#[test]
fn an_opaque_directory_hides_each_name_below() -> Result<()> {
    let target = target_with(&[
        BASE,
        &[
            (Directory, "old", ""),
            (Regular, "old/.wh..wh..opq", ""),
            (Regular, "old/new", "layer 1"),
            (Directory, "old/sub", ""),
            (Regular, "old/sub/c", "layer 1"),
        ],
    ])?;
    target.run(&["rootfs", "image"])?;
    let layer = target.path("images/image/1");
    let hidden = ["old/a", "old/sub/b"].map(String::from);
    assert_eq!(whiteouts(&layer)?, hidden.into());
    assert_eq!(fs::read_to_string(layer.join("old/sub/c"))?, "layer 1");
    Ok(())
}

#[test]
fn deleted_and_made_anew_hides_the_old_contents() -> Result<()> {
    let target = target_with(&[
        BASE,
        &[
            (Regular, ".wh.old", ""),
            (Directory, "old", ""),
            (Regular, "old/new", ""),
        ],
    ])?;
    target.run(&["rootfs", "image"])?;
    let layer = target.path("images/image/1");
    let hidden = ["old/a", "old/sub"].map(String::from);
    assert_eq!(whiteouts(&layer)?, hidden.into());
    Ok(())
}

#[test]
fn overlayfs_shows_what_the_image_means() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: the layers are not mounted");
        return Ok(());
    }
    let target = target_with(&[
        BASE,
        &[
            (Regular, "etc/.wh.gone", ""),
            (Regular, "old/.wh..wh..opq", ""),
            (Regular, "old/new", ""),
        ],
    ])?;
    target.run(&["rootfs", "image"])?;
    fs::create_dir(target.path("merged"))?;
    // In a mount namespace of its own, so that nothing stays mounted.
    let list = |layers: &str| -> Result<String> {
        let script = format!(
            "mount -t overlay overlay -o lowerdir={layers} merged && \
             cd merged && find . -type f | sort | tr '\\n' ' '"
        );
        let mut unshare = witness::command("unshare");
        unshare.args(["--mount", "sh", "-c", &script]);
        output_of(unshare.current_dir(&target.0).output()?)
    };
    let shown = list("images/image/1:images/image/0")?;
    assert_eq!(shown, "./etc/keep ./old/new ");
    // The control: an empty layer on the same base hides nothing.
    fs::create_dir(target.path("none"))?;
    assert!(list("none:images/image/0")?.contains("./etc/gone"));
    Ok(())
}

#[test]
fn a_layer_keeps_the_modes_of_directories_that_it_does_not_list() -> Result<()>
{
    let target = target_with(&[BASE, &[(Regular, "etc/.wh.gone", "")]])?;
    target.run(&["rootfs", "image"])?;
    let image = target.path("images/image");
    for name in ["0", "0/etc", "1", "1/etc"] {
        assert_eq!(mode(&image.join(name))?, 0o755, "{name}");
    }
    Ok(())
}

#[test]
fn whiteouts_need_no_privilege() -> Result<()> {
    let target = target_with(&[BASE, &[(Regular, ".wh.old", "")]])?;
    let mut command = target.command(&["rootfs", "image"]);
    if geteuid().is_root() {
        std::os::unix::fs::chown(&target.0, Some(65534), Some(65534))?;
        command.uid(65534).gid(65534);
    }
    output_of(command.output()?)?;
    assert!(is_whiteout(&target.path("images/image/1/old")));
    Ok(())
}

#[test]
fn the_image_for_this_machine_is_picked() -> Result<()> {
    let (here, elsewhere) = here_and_elsewhere();
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let mine = layout.image(here, &[&[(Regular, "mine", "")]])?;
    let other = layout.image(elsewhere, &[&[(Regular, "other", "")]])?;
    let platform = |arch| json!({"architecture": arch, "os": "linux"});
    // As Docker does it: an index in the index, platforms in descriptors.
    let inner = json!({"manifests": [
        with(&other, "platform", platform(elsewhere)),
        with(&mine, "platform", platform(here)),
        with(&other, "platform", json!({
            "architecture": "unknown", "os": "unknown"
        })),
    ]});
    let inner = layout.blob(INDEX, inner.to_string().as_bytes())?;
    layout.index(&[inner])?;
    target.run(&["rootfs", "image", "--name", "nested"])?;
    assert_eq!(names(&target.path("images/nested/0"))?, ["mine"]);
    // As umoci does it: only the configuration knows the architecture.
    layout.index(&[other.clone(), mine])?;
    target.run(&["rootfs", "image", "--name", "flat"])?;
    assert_eq!(names(&target.path("images/flat/0"))?, ["mine"]);
    layout.index(&[other])?;
    let words = target.fail(&["rootfs", "image", "--name", "none"])?;
    assert!(words.contains(&format!("({elsewhere})")), "{words}");
    assert_eq!(target.images()?, ["flat", "nested"]);
    Ok(())
}

#[test]
fn of_several_images_a_tag_chooses() -> Result<()> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let here = here_and_elsewhere().0;
    let named = |name: &str| -> Result<Value> {
        let image = layout.image(here, &[&[(Regular, name, "")]])?;
        let key = "org.opencontainers.image.ref.name";
        Ok(with(&image, "annotations", json!({ key: name })))
    };
    layout.index(&[named("red")?, named("blue")?])?;
    let words = target.fail(&["rootfs", "image"])?;
    for word in ["--tag", "red", "blue"] {
        assert!(words.contains(word), "{words}");
    }
    target.fail(&["rootfs", "image", "--tag", "green"])?;
    target.run(&["rootfs", "image", "--tag", "blue"])?;
    assert_eq!(names(&target.path("images/image/0"))?, ["blue"]);
    Ok(())
}

#[test]
fn a_layout_in_a_tar_is_the_same() -> Result<()> {
    let target = target_with(&[BASE, &[(Regular, "etc/.wh.gone", "")]])?;
    let mut tar = witness::command("tar");
    tar.args(["-cf", "saved.tar", "-C", "image", "."]);
    output_of(tar.current_dir(&target.0).output()?)?;
    target.run(&["rootfs", "saved.tar"])?;
    assert!(is_whiteout(&target.path("images/saved/1/etc/gone")));
    assert_eq!(target.images()?, ["saved"]);
    assert_eq!(names(&target.path("images/saved"))?, ["0", "1"]);
    Ok(())
}

/// The blobs of a layout, largest first: the layer, then smaller JSON.
fn blobs(layout: &Path) -> Result<Vec<PathBuf>> {
    let folder = layout.join("blobs/sha256");
    let paths = names(&folder)?.into_iter().map(|name| folder.join(name));
    let mut paths: Vec<_> = paths.collect();
    paths.sort_by_key(|path| {
        std::cmp::Reverse(path.metadata().map_or(0, |data| data.len()))
    });
    Ok(paths)
}

#[test]
fn a_damaged_blob_is_named_and_nothing_is_left() -> Result<()> {
    let target = target_with(&[BASE])?;
    let blobs = blobs(&target.path("image"))?;
    assert_eq!(blobs.len(), 3, "layer, manifest, configuration");
    for blob in &blobs {
        let name = blob.file_name().and_then(|name| name.to_str());
        let name = name.context("a hash")?;
        let whole = fs::read(blob)?;
        let mut flipped = whole.clone();
        flipped[10] ^= 1;
        let longer = [&whole[..], b" "].concat();
        for (damaged, why) in [(flipped, "SHA-256"), (longer, "bytes")] {
            fs::write(blob, damaged)?;
            let words = target.fail(&["rootfs", "image"])?;
            assert!(words.contains(name) && words.contains(why), "{words}");
        }
        fs::remove_file(blob)?;
        assert!(target.fail(&["rootfs", "image"])?.contains(name));
        fs::write(blob, whole)?;
        assert_eq!(target.images()?, [""; 0]);
    }
    // The control: undamaged again, the same call succeeds.
    target.run(&["rootfs", "image"])?;
    assert_eq!(target.images()?, ["image"]);
    Ok(())
}

#[test]
fn hostile_descriptions_are_refused() -> Result<()> {
    let target = target_with(&[BASE])?;
    let index = target.path("image/index.json");
    let whole = fs::read_to_string(&index)?;
    let up = r#"{"manifests":[{"digest":"sha256:../../x","size":1}]}"#;
    let deep = format!("{{\"manifests\":{}", "[".repeat(100_000));
    for text in ["", "{}", "[]", "\0", up, &deep] {
        fs::write(&index, text)?;
        target.fail(&["rootfs", "image"])?;
        assert_eq!(target.images()?, [""; 0]);
    }
    fs::write(&index, whole)?;
    target.run(&["rootfs", "image"])?;
    Ok(())
}

#[test]
fn a_layer_that_deletes_dots_is_refused() -> Result<()> {
    for name in [".wh.", ".wh..", "etc/.wh..."] {
        let target = target_with(&[BASE, &[(Regular, name, "")]])?;
        let words = target.fail(&["rootfs", "image"])?;
        assert!(words.contains("it deletes no name"), "{words}");
        assert_eq!(target.images()?, [""; 0]);
    }
    Ok(())
}

#[test]
fn a_folder_that_is_no_layout_is_explained() -> Result<()> {
    let target = Target::new()?;
    fs::create_dir(target.path("plain"))?;
    let words = target.fail(&["rootfs", "plain"])?;
    assert!(words.contains("--rootfs plain"), "{words}");
    Ok(())
}
