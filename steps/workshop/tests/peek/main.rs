//! `workshop peek` on processes that other programs have isolated: bubblewrap,
//! setpriv, runc, a control group, and the rungs.

mod all;
mod blindfolds;
mod gags;
mod handcuffs;
mod lab;
mod runc;
mod selinux;
mod who;
