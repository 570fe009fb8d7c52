//! `linux.seccomp` of config.json: config-linux.md, "Seccomp".

use serde::{Deserialize, Serialize};

/// Which system calls are let through, and how the others are answered.
///
/// Actions, architectures, operators and flags are kept as they are written:
/// `seccomp::Filter::build` reads them, and names the field of a wrong one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Seccomp {
    /// `SCMP_ACT_…`: for the calls that no rule names.
    pub default_action: String,
    /// Errno of the default action: SCMP_ACT_ERRNO and SCMP_ACT_TRACE only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// `SCMP_ARCH_…`: whose calls the filter knows beside the machine's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// `SECCOMP_FILTER_FLAG_…`. Where it is absent, the runtime chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<String>>,
    /// The Unix socket of the agent that answers for SCMP_ACT_NOTIFY.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub listener_path: String,
    /// What that agent is told beside it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub listener_metadata: String,
    /// The rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<Syscall>,
}

/// One rule, for one call or several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Syscall {
    /// The calls. A name that this kernel's architecture lacks is no error.
    pub names: Vec<String>,
    /// `SCMP_ACT_…`.
    pub action: String,
    /// Errno of the action: SCMP_ACT_ERRNO and SCMP_ACT_TRACE only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on the call's arguments. All must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
}

/// A condition on one argument of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Argument {
    /// Which argument: 0 to 5.
    pub index: u32,
    /// What it is compared with; the mask of SCMP_CMP_MASKED_EQ.
    pub value: u64,
    /// With SCMP_CMP_MASKED_EQ, what the masked argument is compared with.
    pub value_two: u64,
    /// `SCMP_CMP_…`.
    pub op: String,
}
