//! What goes with an exercise: what is done, what is next, a hint, the
//! reference, and the way back.

pub mod hint;
pub mod overview;
pub mod progress;
pub mod reset;
pub mod solution;
