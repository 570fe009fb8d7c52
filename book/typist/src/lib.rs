//! The typist: keeps the book true.
//!
//! What a page shows is typed into the machine and answered by it, or taken
//! from the code; nothing of it is written by hand.
//!
//! - [`book`] knows the pages, [`page`] finds the transcripts in one.
//! - [`checkout`] is where they are typed, [`session`] types them on terminals
//!   there and reads the answers, [`replay`] compares page and machine, and
//!   [`varies`] says what may differ. [`numbers`]: a process number that is
//!   read in one terminal and typed in the other.
//! - [`signals`]: no page sends a signal to somebody else's process.
//! - [`diffs`]: what changed in the story from rung to rung.
//! - [`schedule`]: the minutes of the chapters, added up.
//! - [`reading`]: the pages beside the chapters, and their minutes.
//! - [`manual`]: the links to the manual pages.
//! - [`clone`]: where the repository is.
//! - [`poster`]: the pictures that greet the reader.
//! - [`terminals`]: one of them, made of a transcript.
//! - [`includes`]: each piece of code that a page shows is there.

pub mod book;
pub mod checkout;
pub mod clone;
pub mod diffs;
pub mod includes;
pub mod manual;
pub mod numbers;
pub mod page;
pub mod poster;
pub mod reading;
pub mod replay;
pub mod schedule;
pub mod session;
pub mod signals;
pub mod terminals;
pub mod varies;
