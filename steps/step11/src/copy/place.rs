//! The two ends of a copy, as they are typed.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::folder::parse_name;

/// A path, here or there.
#[derive(Debug, Clone)]
pub enum Place {
    /// On the machine.
    Here(PathBuf),
    /// In the container of that name.
    There(String, PathBuf),
}

impl From<OsString> for Place {
    /// `CONTAINER:PATH`, or a path. One that has a colon begins with `./`.
    fn from(text: OsString) -> Place {
        let parts = text.to_str().and_then(|text| text.split_once(':'));
        match parts {
            Some((name, path)) if parse_name(name).is_ok() => {
                // From the root: a container has no working directory here.
                Place::There(name.into(), Path::new("/").join(path))
            }
            _ => Place::Here(text.into()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Here(path) => write!(f, "{}", path.display()),
            Place::There(name, path) => write!(f, "{name}:{}", path.display()),
        }
    }
}
