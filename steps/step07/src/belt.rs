//! The seat belt of this rung's exercise: the machine's root group hands on
//! the controllers that it handed on before. Only a rung built with the
//! exercise wears it.
//!
//! Without them the limits of all its services would be gone: a controller that
//! is taken from the root takes its files with it, everywhere below.

use std::fs;
use std::path::{Path, PathBuf};

use step00::epilogue;

/// What the group hands on, to be handed on again when this is dropped.
#[derive(Debug)]
pub(crate) struct Belt {
    file: PathBuf,
    before: String,
}

impl Belt {
    /// Before the learner's code writes to this group.
    pub(crate) fn fasten(group: &Path) -> Option<Belt> {
        let file = group.join("cgroup.subtree_control");
        let before = fs::read_to_string(&file).ok()?;
        cfg!(any(feature = "exercise", test)).then_some(Belt { file, before })
    }
}

impl Drop for Belt {
    fn drop(&mut self) {
        let now = fs::read_to_string(&self.file).unwrap_or_default();
        let now: Vec<&str> = now.split_whitespace().collect();
        let before = self.before.split_whitespace();
        for lost in before.filter(|name| !now.contains(name)) {
            let given = fs::write(&self.file, format!("+{lost}"));
            let how = match given {
                Ok(()) => "it is handed on again".into(),
                Err(error) => format!("and cannot be given back: {error}"),
            };
            epilogue(&format!(
                "`enable` took {lost} from {}: {how}",
                self.file.display()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_on_is_handed_on_again() {
        let folder = witness::Folder::new();
        let file = folder.join("cgroup.subtree_control");
        fs::write(&file, "cpu memory\n").expect("write it");
        let belt = Belt::fasten(folder.path()).expect("one");
        fs::write(&file, "cpu pids\n").expect("write it");
        drop(belt);
        let read = || fs::read_to_string(&file).expect("read it");
        assert_eq!(read(), "+memory");
        // The control: more is no loss.
        fs::write(&file, "cpu\n").expect("write it");
        let belt = Belt::fasten(folder.path()).expect("one");
        fs::write(&file, "cpu pids\n").expect("write it");
        drop(belt);
        assert_eq!(read(), "cpu pids\n");
    }
}
