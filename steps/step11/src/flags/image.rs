//! `run IMAGE`, and what an image says of itself.

use anyhow::{Error, Result};
use step00::failure::NOT_FOUND;
use step00::{Advice, Ending, Failure};
use step04::imported;

use crate::Run;

impl Run {
    /// Fills in what an image says of itself, where the flags say nothing. It
    /// is named by a flag, or by the first word of the command: who has an
    /// image of that name means the image.
    ///
    /// # Errors
    /// As [`step04::imported::find`], and when it names a user that cannot be.
    pub fn with_image(mut self) -> Result<Run> {
        self.typed = self.process.command.clone();
        let is_open =
            self.overlay.image.is_empty() && self.root.rootfs.is_none();
        let first = self.typed.first().and_then(|word| word.to_str());
        if let Some(name) = first.filter(|_| is_open) {
            if imported::find(name)?.is_some() {
                self.overlay.image.push(name.into());
                self.process.command.remove(0);
            }
        }
        let Run { process, root, overlay, .. } = &mut self;
        step04::defaults(overlay, process, root)?;
        step10::default_user(&mut self.privileges, &self.overlay)?;
        Ok(self)
    }

    /// Whoever means an image that is not here gets the answer that there is
    /// no such program.
    pub fn explain(&self, result: Result<Ending>) -> Result<Ending> {
        let word = self.typed.first().and_then(|word| word.to_str());
        let word = word.filter(|_| self.overlay.image.is_empty());
        match (result, word) {
            (Err(error), Some(word)) if is_missing(&error) => Err(error)
                .advice(format!(
                    "if an image was meant: cargo workshop rootfs \
                     docker://{word} fetches it (step11 images lists yours)"
                )),
            (result, _) => result,
        }
    }
}

fn is_missing(error: &Error) -> bool {
    Failure::from_error(error).status == NOT_FOUND
}
