//! OCI image layouts that are built blob by blob.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Line, tar_of};

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// This machine's architecture and another one, as images call them.
pub fn here_and_elsewhere() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("amd64", "arm64"),
        "aarch64" => ("arm64", "amd64"),
        _ => ("386", "amd64"),
    }
}

/// A layout that is being built.
pub struct Layout(pub PathBuf);

impl Layout {
    pub fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(path.join("blobs/sha256"))?;
        fs::write(
            path.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        Ok(Self(path))
    }

    /// Stores a blob under its hash and returns its descriptor.
    pub fn blob(&self, kind: &str, bytes: &[u8]) -> Result<Value> {
        let digits = Sha256::digest(bytes);
        let digits = digits.iter().map(|byte| format!("{byte:02x}"));
        let hex: String = digits.collect();
        fs::write(self.0.join("blobs/sha256").join(&hex), bytes)?;
        let digest = format!("sha256:{hex}");
        Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
    }

    /// An image of these layers, lowest first; the descriptor of its manifest.
    pub fn image(&self, arch: &str, layers: &[&[Line<'_>]]) -> Result<Value> {
        let config = json!({"architecture": arch, "os": "linux"});
        self.image_of(&config, layers)
    }

    /// An image for this machine with such a configuration.
    pub fn image_that_says(
        &self,
        said: &Value,
        layers: &[&[Line<'_>]],
    ) -> Result<Value> {
        let (arch, _) = here_and_elsewhere();
        let config =
            json!({"architecture": arch, "os": "linux", "config": said});
        self.image_of(&config, layers)
    }

    fn image_of(
        &self,
        config: &Value,
        layers: &[&[Line<'_>]],
    ) -> Result<Value> {
        let config = self.blob(CONFIG, config.to_string().as_bytes())?;
        let layers =
            layers.iter().map(|lines| self.blob(LAYER, &tar_of(lines)?));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": config, "layers": layers,
        });
        self.blob(MANIFEST, manifest.to_string().as_bytes())
    }

    pub fn index(&self, manifests: &[Value]) -> Result<()> {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        Ok(fs::write(self.0.join("index.json"), index.to_string())?)
    }
}

/// The same descriptor with a platform or an annotation.
pub fn with(descriptor: &Value, key: &str, value: Value) -> Value {
    let mut descriptor = descriptor.clone();
    descriptor[key] = value;
    descriptor
}
