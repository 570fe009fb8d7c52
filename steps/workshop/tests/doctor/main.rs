//! `workshop doctor` on bad machines, each of them a folder that differs from
//! a good machine in one thing; and on the real one.

mod answer;
mod groups;
mod here;
mod kernel;
mod machine;
mod real;
mod report;
mod who;
