//! The container's files, as config.json has them.

mod binds;
mod bundle;
mod devices;
mod filesystems;
mod interfaces;
mod root;
mod seals;
