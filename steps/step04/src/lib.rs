//! step04: overlayfs.
//!
//! It blinds to nothing new. It makes the new root cheap: read-only layers
//! that all containers share, and above them a private layer for the writes.
//! Without it, each container would need a copy of the image.
//!
//! Interface:
//!
//! - [`overlay`] - the primitive: one mount of several folders.
//! - [`image`] - the layers, and where the overlay is put together.
//! - [`imported`] - images by name; [`defaults()`] - what they say themselves.
//! - [`changes`] - what the container has written.
//! - [`Args`] - `--image`, `--entrypoint`, `--upper`, `--changes`.
//! - [`ledger`] - how many layers lie below `/`, and where the writes go.
//!
//! Still visible: as in step03.

#![cfg(target_os = "linux")]

// The solution, or the learner's (cargo run -p step04 --features exercise).
#[cfg(feature = "exercise")]
#[path = "exercise.rs"]
pub mod overlay;
#[cfg(not(feature = "exercise"))]
pub mod overlay;

pub mod changes;
pub mod image;
pub mod imported;
pub mod ledger;

mod defaults;
mod flags;
mod refusal;

pub use changes::report;
pub use defaults::defaults;
pub use flags::Args;
pub use image::Image;
pub use ledger::LEDGER;
