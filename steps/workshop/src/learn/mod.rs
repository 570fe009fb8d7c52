//! What goes with an exercise: what is done, what is next, a hint, the
//! reference, and the way back; and for a short lesson, half of it.

pub mod half;
pub mod hint;
pub mod overview;
pub mod progress;
pub mod reset;
pub mod solution;
pub mod start;
