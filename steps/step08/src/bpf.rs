//! The little machine that runs a seccomp filter: classic BPF, four kinds of
//! instructions of which are all that our filter needs.
//!
//! We use one register of it, A. It has no loop: every jump goes forward, so
//! each run ends (Documentation/networking/filter.rst). Its input is 64 bytes,
//! `struct seccomp_data` (seccomp(2)): call number, architecture, instruction
//! pointer, six arguments. It sees *values*: where an argument is a pointer,
//! the filter sees the address and never what stands there.
//!
//! | instruction | does |
//! |---|---|
//! | `ld offset` | A = the 32-bit word at this offset of the input |
//! | `jeq` `jgt` `jge` `k` | compare A with k (unsigned): `==`, `>`, `>=` |
//! | `jset k` | is any bit of k set in A? |
//! | `ret k` | stop; k is the answer to the kernel |
//!
//! Filters that others describe to us need two more: `and k` (A = A & k) and
//! `ja k` (skip k instructions, whatever A holds).
//!
//! A jump holds two distances, one for yes and one for no, each one byte: the
//! number of instructions to skip. We write [`ALLOW`], [`REFUSE`] or
//! [`ABSENT`] where the distance is not known yet, and [`link`] fills it in.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP,
    BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, seccomp_data, sock_filter,
};
use std::mem::offset_of;

/// `ld`: load a word from an absolute offset.
pub const LOAD: u16 = (BPF_LD | BPF_W | BPF_ABS) as u16;
/// `jeq`: is A equal to the constant?
pub const EQUAL: u16 = (BPF_JMP | BPF_JEQ | BPF_K) as u16;
/// `jgt`: is A greater than the constant?
pub const GREATER: u16 = (BPF_JMP | BPF_JGT | BPF_K) as u16;
/// `jge`: is A at least the constant?
pub const AT_LEAST: u16 = (BPF_JMP | BPF_JGE | BPF_K) as u16;
/// `jset`: does A share a bit with the constant?
pub const ANY_BIT: u16 = (BPF_JMP | BPF_JSET | BPF_K) as u16;
/// `ret`: answer with the constant.
pub const RETURN: u16 = (BPF_RET | BPF_K) as u16;

/// `and`: keep only the bits of the constant in A.
pub const AND: u16 = (BPF_ALU | BPF_AND | BPF_K) as u16;
/// `ja`: jump always, by a constant of 32 bits.
pub const ALWAYS: u16 = (BPF_JMP | BPF_JA) as u16;

/// Where the call's number lies in the input.
pub const NUMBER: u32 = offset_of!(seccomp_data, nr) as u32;
/// Where the architecture lies in the input.
pub const ARCHITECTURE: u32 = offset_of!(seccomp_data, arch) as u32;

/// Where the low 32 bits of argument `index` (0 to 5) lie in the input.
///
/// Arguments are 64 bits wide and A is 32, so one `ld` reads one half: on the
/// little-endian machines we know, the low half comes first.
pub const fn argument(index: usize) -> u32 {
    assert!(cfg!(target_endian = "little") && index < 6);
    (offset_of!(seccomp_data, args) + index * size_of::<u64>()) as u32
}

/// Where the high 32 bits of argument `index` (0 to 5) lie in the input.
pub const fn argument_high(index: usize) -> u32 {
    argument(index) + size_of::<u32>() as u32
}

/// Jump distance 0: go on with the next instruction.
pub const NEXT: u8 = 0;
/// Jump to the answer "allowed".
pub const ALLOW: u8 = 255;
/// Jump to the answer "refused" (EPERM).
pub const REFUSE: u8 = 254;
/// Jump to the answer "there is no such call" (ENOSYS).
pub const ABSENT: u8 = 253;

/// A = the 32-bit word of the input at `offset`.
pub const fn load(offset: u32) -> sock_filter {
    sock_filter { code: LOAD, jt: 0, jf: 0, k: offset }
}

/// Compare A with `k`; skip `yes` instructions or `no` instructions.
pub const fn jump(compare: u16, k: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: compare, jt: yes, jf: no, k }
}

/// Stop with `action`, a `SECCOMP_RET_*` constant.
pub const fn answer(action: u32) -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k: action }
}

/// Stop, do not make the call, and let it fail with this errno: the low 16
/// bits of the answer carry it (seccomp(2), SECCOMP_RET_ERRNO).
pub const fn answer_errno(errno: i32) -> sock_filter {
    answer(libc::SECCOMP_RET_ERRNO | errno as u32)
}

/// A = A & `k`.
pub const fn and(k: u32) -> sock_filter {
    sock_filter { code: AND, jt: 0, jf: 0, k }
}

/// Skip `distance` instructions. It may be longer than the 255 of a comparison.
pub const fn skip(distance: u32) -> sock_filter {
    sock_filter { code: ALWAYS, jt: 0, jf: 0, k: distance }
}

/// Is this one of the four comparisons?
pub const fn is_jump(code: u16) -> bool {
    matches!(code, EQUAL | GREATER | AT_LEAST | ANY_BIT)
}

/// Replaces the labels by distances. The last three instructions of `program`
/// must be the answers [`REFUSE`], [`ABSENT`] and [`ALLOW`], in this order.
///
/// # Panics
///
/// When an answer is farther away than one byte can say: the program has grown
/// too long, and needs a copy of its answers in the middle.
pub fn link(program: &mut [sock_filter]) {
    let end = program.len();
    for (here, instruction) in program.iter_mut().enumerate() {
        if is_jump(instruction.code) {
            instruction.jt = distance(instruction.jt, here, end);
            instruction.jf = distance(instruction.jf, here, end);
        }
    }
}

/// The distance from instruction `here` to what `label` stands for.
fn distance(label: u8, here: usize, end: usize) -> u8 {
    let target = match label {
        REFUSE => end - 3,
        ABSENT => end - 2,
        ALLOW => end - 1,
        distance => return distance,
    };
    // A distance counts from the instruction *after* the jump.
    let distance = target - here - 1;
    assert!(
        distance < usize::from(ABSENT),
        "seccomp program too long: instruction {here} jumps {distance} ahead"
    );
    distance as u8
}
