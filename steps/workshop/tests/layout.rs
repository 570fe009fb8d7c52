//! `workshop rootfs` on OCI image layouts that are built here, blob by blob.

mod target;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::geteuid;
use serde_json::{Value, json};
use tar::EntryType::{Directory, Link, Regular, Symlink};
use target::layout::{Layout, MANIFEST, here_and_elsewhere, with};
use target::{Line, Target, mode, names, output_of, tar_of};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

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
fn layers_come_lowest_first_under_one_name() -> Result<()> {
    let target = target_with(&[
        &[(Regular, "zero", "")],
        &[(Regular, "one", "")],
        &[(Regular, "two", "")],
    ])?;
    let printed = target.run(&["rootfs", "image"])?;
    for (number, name) in ["zero", "one", "two"].iter().enumerate() {
        let layer = target.path(&format!("images/image/{number}"));
        assert_eq!(names(&layer)?, [*name]);
    }
    assert!(printed.contains("-p step04 -- --image image\n"), "{printed}");
    assert_eq!(target.record("image")?["Layers"], 3);
    // The control: another image of the name, which has one tree.
    fs::write(target.path("image.tar"), tar_of(&[(Regular, "f", "")])?)?;
    target.run(&["rootfs", "image.tar", "--force"])?;
    assert!(target.record("image").is_err());
    Ok(())
}

#[test]
fn what_an_image_says_of_itself_is_recorded() -> Result<()> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let said = json!({
        "Env": ["A=1"], "User": "web:web", "WorkingDir": "/srv",
        "Entrypoint": ["/start"], "Cmd": null, "Volumes": {"/data": {}},
    });
    let image = layout.image_that_says(&said, &[&[(Regular, "f", "")]])?;
    layout.index(std::slice::from_ref(&image))?;
    target.run(&["rootfs", "image"])?;
    let record = target.record("image")?;
    assert_eq!(record["Digest"], image["digest"]);
    let mut known = said.clone();
    known.as_object_mut().context("an object")?.remove("Volumes");
    assert_eq!(record["Config"], known);
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

/// The annotation that carries a tag.
const TAG: &str = "org.opencontainers.image.ref.name";

/// An image of one file for this machine, and its manifest and configuration
/// for others to be like.
fn one_file(layout: &Layout, name: &str) -> Result<Value> {
    layout.image(here_and_elsewhere().0, &[&[(Regular, name, "")]])
}

/// A manifest of these types.
fn manifest(
    layout: &Layout,
    kind: &str,
    config: (&str, &str),
    more: Value,
) -> Result<Value> {
    let config = layout.blob(config.0, config.1.as_bytes())?;
    let mut manifest = json!({"config": config, "layers": [config]});
    for (key, value) in more.as_object().into_iter().flatten() {
        manifest[key] = value.clone();
    }
    layout.blob(kind, manifest.to_string().as_bytes())
}

#[test]
fn what_is_no_image_is_passed_over() -> Result<()> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let tagged = |name: &str| json!({ TAG: name });
    let image = one_file(&layout, "mine")?;
    let image = with(&image, "annotations", tagged("latest"));
    let empty = ("application/vnd.oci.empty.v1+json", "{}");
    let helm = ("application/vnd.cncf.helm.config.v1+json", "[1]");
    let own = json!({"architecture": here_and_elsewhere().0, "os": "linux"});
    let own = own.to_string();
    let usual = ("application/vnd.oci.image.config.v1+json", &*own);
    let sbom = json!({"artifactType": "application/spdx+json"});
    let artifact = "application/vnd.oci.artifact.manifest.v1+json";
    let none = json!({});
    let mut others = vec![
        manifest(&layout, MANIFEST, empty, sbom.clone())?,
        manifest(&layout, MANIFEST, helm, none.clone())?,
        manifest(&layout, MANIFEST, usual, sbom)?,
        layout.blob(artifact, b"{}")?,
        layout.blob("application/json", b"{")?,
        // cosign's: an image in form, of no architecture.
        manifest(
            &layout,
            MANIFEST,
            (usual.0, r#"{"architecture":"","os":""}"#),
            none.clone(),
        )?,
        json!({"mediaType": MANIFEST, "size": 1,
            "digest": format!("sha256:{}", "0".repeat(64))}),
        json!({"mediaType": MANIFEST, "size": 1,
            "digest": format!("sha512:{}", "0".repeat(128))}),
        with(
            &manifest(&layout, MANIFEST, empty, none)?,
            "platform",
            json!({"os": "linux"}),
        ),
    ];
    // One whose configuration is not there.
    let lost = json!({"config": {"mediaType": usual.0, "size": 1,
        "digest": format!("sha256:{}", "1".repeat(64))}, "layers": []});
    others.push(layout.blob(MANIFEST, lost.to_string().as_bytes())?);
    for (number, other) in others.iter().enumerate() {
        let named = with(other, "annotations", tagged("other"));
        let nested = json!({"manifests": [other]}).to_string();
        let nested = layout.blob(INDEX, nested.as_bytes())?;
        for manifests in [
            [other.clone(), image.clone()],
            [image.clone(), other.clone()],
            [named.clone(), image.clone()],
            [nested, image.clone()],
        ] {
            layout.index(&manifests)?;
            for flags in [&[][..], &["--tag", "latest"]] {
                let words = [&["rootfs", "image", "--force"], flags].concat();
                target.run(&words).with_context(|| format!("{number}"))?;
                assert_eq!(names(&target.path("images/image/0"))?, ["mine"]);
            }
        }
        // The control: alone it is no image, and asked for it is refused.
        fs::remove_dir_all(target.path("images"))?;
        layout.index(std::slice::from_ref(other))?;
        target.fail(&["rootfs", "image"])?;
        layout.index(&[named, image.clone()])?;
        target.fail(&["rootfs", "image", "--tag", "other"])?;
        assert_eq!(target.images()?, [""; 0]);
    }
    Ok(())
}

#[test]
fn a_tag_means_that_tag() -> Result<()> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    // As `docker save` of two images writes it.
    let docker = |name: &str, tag: &str| -> Result<Value> {
        let image = one_file(&layout, name)?;
        let full = format!("docker.io/library/{name}:{tag}");
        let names = json!({"io.containerd.image.name": full, TAG: tag});
        Ok(with(&image, "annotations", names))
    };
    layout.index(&[docker("red", "1")?, docker("blue", "latest")?])?;
    for (tag, file) in [
        ("1", "red"),
        ("latest", "blue"),
        ("docker.io/library/red:1", "red"),
        ("docker.io/library/blue:latest", "blue"),
    ] {
        target.run(&["rootfs", "image", "--force", "--tag", tag])?;
        assert_eq!(names(&target.path("images/image/0"))?, [file]);
    }
    fs::remove_dir_all(target.path("images"))?;
    for tag in ["", "lat", "latest2", "library", "docker.io/library/red"] {
        let words = target.fail(&["rootfs", "image", "--tag", tag])?;
        assert!(words.contains("find the tag"), "{words}");
    }
    // Of the same tag twice, the names choose.
    layout.index(&[docker("red", "latest")?, docker("blue", "latest")?])?;
    let words = target.fail(&["rootfs", "image", "--tag", "latest"])?;
    assert!(words.contains("red") && words.contains("blue"), "{words}");
    // A tag speaks to no terminal.
    let image = with(
        &one_file(&layout, "x")?,
        "annotations",
        json!({ TAG: "e\u{1b}[31m\u{202e}\nworkshop: all is well" }),
    );
    layout.index(&[image])?;
    let words = target.fail(&["rootfs", "image", "--tag", "y"])?;
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(!words.contains(['\u{1b}', '\u{202e}']), "{words:?}");
    Ok(())
}

#[test]
fn of_many_platforms_the_first_that_runs_here() -> Result<()> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let (here, elsewhere) = here_and_elsewhere();
    let on = |name: &str, platform: Value| -> Result<Value> {
        Ok(with(&one_file(&layout, name)?, "platform", platform))
    };
    let linux = |variant: &str| json!({"architecture": here, "os": "linux", "variant": variant});
    let plain = json!({"architecture": here, "os": "linux"});
    let newer = json!({"architecture": here, "os": "linux",
        "os.version": "99.1"});
    let special = json!({"architecture": here, "os": "linux",
        "os.features": ["erofs"]});
    let windows = json!({"architecture": here, "os": "windows",
        "os.version": "10.0.14393.1066"});
    let other = json!({"architecture": elsewhere, "os": "linux"});
    for (platforms, chosen) in [
        (vec![&plain, &plain], 0),
        (vec![&windows, &plain], 1),
        (vec![&other, &plain, &windows], 1),
        // One that no machine has; and one that must not be looked at.
        (vec![&linux("v99"), &plain], 1),
        (vec![&special, &plain], 1),
        // Linux has no such version: it says nothing.
        (vec![&newer, &plain], 0),
    ] {
        let all = platforms.iter().enumerate();
        let all = all.map(|(at, platform)| {
            on(&format!("file{at}"), (*platform).clone())
        });
        let inner = json!({"manifests": all.collect::<Result<Vec<_>>>()?});
        let inner = layout.blob(INDEX, inner.to_string().as_bytes())?;
        layout.index(&[inner])?;
        target.run(&["rootfs", "image", "--force"])?;
        let found = names(&target.path("images/image/0"))?;
        assert_eq!(found, [format!("file{chosen}")], "{platforms:?}");
    }
    // The control: alone, what does not fit is named.
    fs::remove_dir_all(target.path("images"))?;
    layout.index(&[on("file", linux("v99"))?])?;
    let words = target.fail(&["rootfs", "image"])?;
    assert!(words.contains(&format!("{here}/v99")), "{words}");
    Ok(())
}

#[test]
fn a_file_goes_behind_the_links_of_lower_layers() -> Result<()> {
    let target = target_with(&[
        &[
            (Directory, "opt", ""),
            (Directory, "opt/v1", ""),
            (Regular, "opt/v1/old", ""),
            (Directory, "usr", ""),
            (Directory, "usr/lib", ""),
            (Regular, "usr/lib/libc.so", ""),
            (Symlink, "lib", "usr/lib"),
            (Symlink, "abs", "/opt/../lib"),
        ],
        &[
            // A link of this layer into a lower one.
            (Symlink, "cur", "opt/v1"),
            (Regular, "cur/new", "1"),
            // A link of a lower layer.
            (Regular, "lib/libm.so", "2"),
            (Regular, "abs/sub/libz.so", "3"),
            (Link, "lib/same", "cur/new"),
            (Regular, "lib/.wh.libc.so", ""),
            // A link to what is nowhere yet.
            (Symlink, "var", "later/var"),
            (Regular, "var/log", "4"),
        ],
        // A folder that is listed covers the link; one that was deleted is
        // no way any more.
        &[
            (Directory, "lib", ""),
            (Regular, "lib/own", ""),
            (Regular, ".wh.abs", ""),
            (Regular, "abs/own", ""),
        ],
    ])?;
    target.run(&["rootfs", "image"])?;
    let image = target.path("images/image");
    let layer = image.join("1");
    for (file, text) in [
        ("opt/v1/new", "1"),
        ("usr/lib/libm.so", "2"),
        ("usr/lib/sub/libz.so", "3"),
        ("usr/lib/same", "1"),
        ("later/var/log", "4"),
    ] {
        assert_eq!(fs::read_to_string(layer.join(file))?, text, "{file}");
    }
    assert_eq!(whiteouts(&layer)?, ["usr/lib/libc.so".into()].into());
    for folder in ["lib", "abs"] {
        assert!(!layer.join(folder).exists(), "{folder}");
        let own = image.join("2").join(folder).join("own");
        assert!(own.is_file(), "{folder}");
    }
    // A circle, and a way out.
    for (link, to, words) in
        [("a", "a", Some("too many links")), ("a", "../../..", None)]
    {
        let target =
            target_with(&[&[(Symlink, link, to), (Regular, "a/f", "")]])?;
        match words {
            Some(words) => {
                let said = target.fail(&["rootfs", "image"])?;
                assert!(said.contains(words), "{said}");
            }
            None => {
                target.run(&["rootfs", "image"])?;
                assert!(target.path("images/image/0/f").is_file());
            }
        }
    }
    Ok(())
}

#[test]
fn folders_that_a_layer_does_not_list_keep_their_owner() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: no folder can have another owner");
        return Ok(());
    }
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let script = "mkdir -p t/home/me; touch -d @1000000 t/home t/home/me; \
         tar --owner=a:1234 --group=b:1234 -C t -cf base.tar home; \
         mkdir u; echo hi >u/f; tar --transform=s,^,home/me/, -C u \
         -cf top.tar f";
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(&target.0);
    output_of(shell.output()?)?;
    let config =
        json!({"architecture": here_and_elsewhere().0, "os": "linux"});
    let config = layout.blob("config", config.to_string().as_bytes())?;
    let layer = |name| layout.blob("layer", &fs::read(target.path(name))?);
    let layers = [layer("base.tar")?, layer("top.tar")?];
    let manifest = json!({"config": config, "layers": layers}).to_string();
    layout.index(&[layout.blob(MANIFEST, manifest.as_bytes())?])?;
    target.run(&["rootfs", "image"])?;
    for layer in ["0", "1"] {
        let me = target.path("images/image").join(layer).join("home/me");
        let data = me.metadata()?;
        assert_eq!((data.uid(), data.mtime()), (1234, 1_000_000), "{layer}");
    }
    Ok(())
}

#[test]
fn descriptions_cost_no_more_than_they_may() -> Result<()> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    // Indexes that name each other by the thousand.
    let mut index = json!({"manifests": []});
    for _ in 0..3 {
        let inner = layout.blob(INDEX, index.to_string().as_bytes())?;
        index = json!({"manifests": vec![inner; 2000]});
    }
    fs::write(layout.0.join("index.json"), index.to_string())?;
    let words = target.fail(&["rootfs", "image"])?;
    assert!(words.contains("too large"), "{words}");
    // More layers than overlayfs stacks.
    let file: &[Line<'_>] = &[(Regular, "f", "")];
    let image = layout.image(here_and_elsewhere().0, &vec![file; 501])?;
    layout.index(&[image])?;
    let words = target.fail(&["rootfs", "image"])?;
    assert!(words.contains("500 at most"), "{words}");
    Ok(())
}
