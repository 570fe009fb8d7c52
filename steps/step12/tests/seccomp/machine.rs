//! A BPF machine of our own: what would the kernel answer?

use libc::sock_filter;
use step08::bpf::{
    ALWAYS, AND, ANY_BIT, AT_LEAST, EQUAL, GREATER, LOAD, RETURN,
};

/// A call as the kernel describes it to a filter: linux/seccomp.h.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub arch: u32,
    pub number: u32,
    pub args: [u64; 6],
}

impl Said {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.arch,
            8 | 12 => 0,
            at if at % 8 == 0 => self.args[(at as usize - 16) / 8] as u32,
            at if at % 4 == 0 => {
                (self.args[(at as usize - 20) / 8] >> 32) as u32
            }
            at => panic!("the kernel refuses a load at {at}"),
        }
    }
}

/// Runs `program` on this call, as Documentation/networking/filter.rst says.
pub fn run(program: &[sock_filter], said: &Said) -> u32 {
    let (mut here, mut a) = (0, 0);
    loop {
        let &sock_filter { code, jt, jf, k } = &program[here];
        here += 1;
        let yes = match code {
            LOAD => {
                a = said.word(k);
                continue;
            }
            AND => {
                a &= k;
                continue;
            }
            ALWAYS => {
                here += k as usize;
                continue;
            }
            RETURN => return k,
            EQUAL => a == k,
            GREATER => a > k,
            AT_LEAST => a >= k,
            ANY_BIT => a & k != 0,
            code => panic!("unknown instruction {code:#x}"),
        };
        here += usize::from(if yes { jt } else { jf });
    }
}
