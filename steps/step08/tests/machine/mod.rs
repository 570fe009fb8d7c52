//! A BPF machine of our own: what the kernel would answer.

// Each test program takes its part.
#![allow(dead_code)]

use libc::sock_filter;
use step08::bpf::{ANY_BIT, AT_LEAST, EQUAL, GREATER, LOAD, RETURN};

/// One system call as the kernel describes it to a filter: linux/seccomp.h.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub nr: u32,
    pub arch: u32,
    pub args: [u64; 6],
}

impl Said {
    pub fn and(mut self, index: usize, value: u64) -> Self {
        self.args[index] = value;
        self
    }

    /// The 32-bit word at `offset`: nr, arch, instruction pointer, arguments.
    fn word(&self, offset: u32) -> u32 {
        let lower = |it: u64| it as u32;
        match offset {
            0 => self.nr,
            4 => self.arch,
            8 | 12 => 0,
            at if at % 8 == 0 => lower(self.args[(at as usize - 16) / 8]),
            at => lower(self.args[(at as usize - 16) / 8] >> 32),
        }
    }
}

/// How many instructions a jump skips when A holds `a`.
pub fn skipped(instruction: &sock_filter, a: u32) -> usize {
    let &sock_filter { code, jt, jf, k } = instruction;
    let yes = match code {
        EQUAL => a == k,
        GREATER => a > k,
        AT_LEAST => a >= k,
        ANY_BIT => a & k != 0,
        _ => panic!("unknown instruction {code:#x}"),
    };
    usize::from(if yes { jt } else { jf })
}

/// Runs `program` as the kernel would, and shows `visit` each jump with what A
/// holds there. `None` when a jump leaves the program.
pub fn trace(
    program: &[sock_filter],
    said: &Said,
    mut visit: impl FnMut(usize, u32),
) -> Option<u32> {
    let (mut here, mut a) = (0, 0);
    loop {
        let instruction = program.get(here)?;
        match instruction.code {
            LOAD => a = said.word(instruction.k),
            RETURN => return Some(instruction.k),
            _ => {
                visit(here, a);
                here += skipped(instruction, a);
            }
        }
        here += 1;
    }
}

pub fn run(program: &[sock_filter], said: &Said) -> Option<u32> {
    trace(program, said, |_, _| ())
}
