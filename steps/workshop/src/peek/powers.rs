//! The capabilities by name.

use std::fs;

/// In the order of their numbers: capabilities(7), <linux/capability.h>.
const NAMES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL \
    SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST \
    NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT \
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME \
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP \
    MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ \
    PERFMON BPF CHECKPOINT_RESTORE";

/// Those in the set; one that is newer than this table by its number.
pub fn names(set: u64) -> Vec<String> {
    let known: Vec<&str> = NAMES.split(' ').collect();
    let bits = (0..64).filter(|bit| set & (1 << bit) != 0);
    let name = |bit: usize| {
        let name = known.get(bit).map(|name| (*name).to_owned());
        name.unwrap_or_else(|| bit.to_string())
    };
    bits.map(name).collect()
}

/// Those that the running kernel knows and the set lacks.
pub fn missing(set: u64) -> Vec<String> {
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap");
    let last = last.ok().and_then(|last| last.trim().parse().ok());
    let all = u64::MAX >> (63 - last.unwrap_or(40u32).min(63));
    names(all & !set)
}
