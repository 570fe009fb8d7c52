//! The profile as a table: for one architecture, what is answered to which
//! number, and on which conditions.
//!
//! Of several rules for one call
//!
//! - the first that has no conditions decides alone, wherever it stands;
//! - else the first whose conditions hold decides;
//! - else the default action does. A rule that only repeats the default action
//!   is no rule.
//!
//! That is libseccomp's order, but where conditions overlap: there it sorts
//! them by value, and we keep the order of the profile.

use super::arch::{Arch, Numbers};
use super::words::{self, Operator};
use crate::config::seccomp::{Argument, Seccomp, Syscall};
use anyhow::{Result, ensure};
use libc::{
    SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_RET_ALLOW, SECCOMP_RET_DATA,
    SECCOMP_RET_LOG, SECCOMP_RET_TRACE, c_ulong,
};
use std::collections::BTreeMap;

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// 0 to 5.
    pub index: usize,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: u64,
    /// Which bits are compared: all, but for [`Operator::MaskedEqual`].
    pub mask: u64,
}

/// What is answered when all of these conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// In the order of the arguments; none twice for the same.
    pub conditions: Vec<Condition>,
    /// A `SECCOMP_RET_*` constant, with its errno.
    pub answer: u32,
}

/// What is answered to the calls of one architecture.
#[derive(Debug, Clone)]
pub struct Table {
    /// Whose numbers these are.
    pub arch: Arch,
    /// What is answered to all other calls.
    pub default: u32,
    /// Rules by the call's number. One without conditions stands alone.
    pub calls: BTreeMap<u32, Vec<Rule>>,
    /// The highest number that the profile knows. What lies above it looks as
    /// if it did not exist: ENOSYS, which a C library knows how to live with,
    /// and not EPERM. `None` where the default lets calls through.
    pub newest: Option<u32>,
}

/// The answer for calls without a rule.
///
/// # Errors
/// An unknown action, or a wrong errno for it.
pub fn default_action(profile: &Seccomp) -> Result<u32> {
    words::answer(
        "linux.seccomp.defaultAction",
        &profile.default_action,
        "linux.seccomp.defaultErrnoRet",
        profile.default_errno_ret,
    )
}

/// The flag for a listener, if there is a rule with SCMP_ACT_NOTIFY.
///
/// The descriptor has to get out of a process that is filtered already. It
/// writes its number to the launcher, as runc's does; so `write` cannot be
/// among the calls that wait for the agent.
///
/// # Errors
/// SCMP_ACT_NOTIFY as default action, or for `write`; no `listenerPath` where
/// there is such a rule; `listenerMetadata` without it.
pub fn listener_flag(profile: &Seccomp) -> Result<c_ulong> {
    let notify = "SCMP_ACT_NOTIFY";
    ensure!(
        profile.default_action != notify,
        "linux.seccomp.defaultAction: {notify} cannot be the default action"
    );
    let has_path = !profile.listener_path.is_empty();
    ensure!(
        has_path || profile.listener_metadata.is_empty(),
        "linux.seccomp.listenerMetadata: needs linux.seccomp.listenerPath"
    );
    let mut rules = profile.syscalls.iter().enumerate();
    let Some((index, _)) = rules.find(|rule| rule.1.action == notify) else {
        return Ok(0);
    };
    ensure!(
        has_path,
        "linux.seccomp.listenerPath: needed for {notify} in syscalls[{index}]"
    );
    for (index, rule) in profile.syscalls.iter().enumerate() {
        let has_write = rule.names.iter().any(|name| name == "write");
        ensure!(
            rule.action != notify || !has_write,
            "linux.seccomp.syscalls[{index}]: {notify} cannot be used for the \
             write syscall"
        );
    }
    Ok(SECCOMP_FILTER_FLAG_NEW_LISTENER)
}

impl Table {
    /// What `profile` says about the calls of `arch`.
    ///
    /// # Errors
    /// See [`super::Filter::build`].
    pub fn build(
        profile: &Seccomp,
        default: u32,
        arch: Arch,
    ) -> Result<Table> {
        let mut table =
            Table { arch, default, calls: BTreeMap::new(), newest: None };
        let numbers = Numbers::of(arch);
        for (index, syscall) in profile.syscalls.iter().enumerate() {
            let field = format!("linux.seccomp.syscalls[{index}]");
            let rules = rules(&field, syscall, arch)?;
            for name in &syscall.names {
                table.add(&field, name, &rules, &numbers)?;
            }
        }
        if lets_through(default) {
            table.newest = None;
        }
        Ok(table)
    }

    /// The rules for one name. One that this architecture lacks is left out.
    fn add(
        &mut self,
        field: &str,
        name: &str,
        rules: &[Rule],
        numbers: &Numbers,
    ) -> Result<()> {
        let number = numbers.number(name);
        let multiplexed = multiplexed(self.arch, name, numbers);
        for rule in rules {
            if let Some((number, operation)) = multiplexed {
                self.newest = self.newest.max(Some(number));
                self.insert(number, of_operation(rule, operation));
            }
            let Some(number) = number else { continue };
            self.newest = self.newest.max(Some(number));
            ensure!(
                !self.contradicts(number, rule),
                "{field}: another rule for {name} has the same conditions and \
                 another action"
            );
            self.insert(number, rule.clone());
        }
        Ok(())
    }

    /// Is there a rule with the same conditions and another answer?
    fn contradicts(&self, number: u32, rule: &Rule) -> bool {
        !rule.conditions.is_empty()
            && rule.answer != self.default
            && self.calls.get(&number).is_some_and(|rules| {
                rules.iter().any(|other| {
                    other.conditions == rule.conditions
                        && other.answer != rule.answer
                })
            })
    }

    fn insert(&mut self, number: u32, rule: Rule) {
        if rule.answer == self.default {
            return;
        }
        let rules = self.calls.entry(number).or_default();
        let is_decided =
            rules.first().is_some_and(|first| first.conditions.is_empty());
        if is_decided || rules.contains(&rule) {
            return;
        }
        if rule.conditions.is_empty() {
            rules.clear();
        }
        rules.push(rule);
    }
}

/// Does this answer let a call through, if only after it was told of? A tracer
/// that knows newer calls than the profile shall see them.
fn lets_through(answer: u32) -> bool {
    let action = answer & !SECCOMP_RET_DATA;
    [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE].contains(&action)
}

/// One entry of the profile: as a rule, or as several.
///
/// All conditions of a rule must hold. But where two of them are on the same
/// argument, libseccomp cannot say so; runc and crun then make a rule of each,
/// of which *one* must hold, and profiles count on it.
fn rules(field: &str, syscall: &Syscall, arch: Arch) -> Result<Vec<Rule>> {
    ensure!(!syscall.names.is_empty(), "{field}.names: there is none");
    if let Some(place) = syscall.names.iter().position(String::is_empty) {
        anyhow::bail!("{field}.names[{place}]: is empty");
    }
    let answer = words::answer(
        &format!("{field}.action"),
        &syscall.action,
        &format!("{field}.errnoRet"),
        syscall.errno_ret,
    )?;
    let mut conditions = Vec::new();
    for (index, argument) in syscall.args.iter().enumerate() {
        let field = format!("{field}.args[{index}]");
        conditions.push(condition(&field, argument, arch)?);
    }
    let is_twice = |index: usize| {
        conditions.iter().filter(|other| other.index == index).count() > 1
    };
    if (0..6).any(is_twice) {
        let alone = |condition| rule(vec![condition], answer);
        return Ok(conditions.into_iter().map(alone).collect());
    }
    Ok(vec![rule(conditions, answer)])
}

/// A condition that always holds is none; the others stand in a fixed order,
/// so that equal ones can be told.
fn rule(mut conditions: Vec<Condition>, answer: u32) -> Rule {
    conditions.retain(|condition| condition.mask != 0);
    conditions.sort_by_key(|condition| condition.index);
    Rule { conditions, answer }
}

fn condition(
    field: &str,
    argument: &Argument,
    arch: Arch,
) -> Result<Condition> {
    let operator = words::operator(field, &argument.op)?;
    let index = argument.index as usize;
    ensure!(index < 6, "{field}.index: {index} is above 5");
    // A 32-bit call has arguments of 32 bits, and -1 is written with 64.
    let all = if arch.is_wide() { u64::MAX } else { u32::MAX.into() };
    let (value, mask) = match operator {
        Operator::MaskedEqual => (argument.value_two, argument.value & all),
        _ => (argument.value, all),
    };
    Ok(Condition { index, operator, value: value & mask, mask })
}

/// x86 has made the calls of sockets and System V IPC through one call each,
/// with the operation as first argument: socketcall(2), ipc(2). It has most of
/// them by number as well since 4.3 and 5.1, and old programs do not know.
fn multiplexed(
    arch: Arch,
    name: &str,
    numbers: &Numbers,
) -> Option<(u32, u64)> {
    if arch != Arch::X86 {
        return None;
    }
    let find = |list: &[(&str, u64)]| {
        list.iter().find(|known| known.0 == name).map(|known| known.1)
    };
    let (call, operation) = match (find(&SOCKETCALL), find(&IPC)) {
        (Some(operation), _) => ("socketcall", operation),
        (None, Some(operation)) => ("ipc", operation),
        (None, None) => return None,
    };
    Some((numbers.number(call)?, operation))
}

/// The rule for one operation of such a call: what was said of the first
/// argument cannot be asked any more, for it lies in memory.
fn of_operation(rule: &Rule, operation: u64) -> Rule {
    let mut rule = rule.clone();
    rule.conditions.retain(|condition| condition.index != 0);
    let all = u32::MAX.into();
    let equal = Operator::Equal;
    let first =
        Condition { index: 0, operator: equal, value: operation, mask: all };
    rule.conditions.insert(0, first);
    rule
}

/// linux/net.h, `SYS_*`.
const SOCKETCALL: [(&str, u64); 20] = [
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// linux/ipc.h.
const IPC: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];
