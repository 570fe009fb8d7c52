//! The program that a rung lists (`--dump-seccomp`), as instructions again.
//!
//! A filter that is wrong may let nothing run at all, and then nobody is there
//! to be asked for it. Its listing can be read before it is installed.

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD,
    BPF_RET, BPF_W, sock_filter,
};
use nix::errno::Errno;
use step08::{arch, bpf};

/// What stands for a value that has a name here and no number: it is no
/// call's, and no argument is equal to it.
const NAMED: u32 = 0xffff_fff0;

/// The instructions; `None` when a line is not understood.
pub fn instructions(listing: &str) -> Option<Vec<sock_filter>> {
    let mut loaded = bpf::NUMBER;
    let lines = listing.lines().filter(|line| !line.starts_with(';'));
    lines.map(|line| instruction(line, &mut loaded)).collect()
}

/// One line: index, mnemonic, constant, and the indices that it jumps to.
fn instruction(line: &str, loaded: &mut u32) -> Option<sock_filter> {
    let mut words = line.split_whitespace();
    let here: usize = words.next()?.parse().ok()?;
    let code = match words.next()? {
        "ld" => BPF_LD | BPF_W | BPF_ABS,
        "jeq" => BPF_JMP | BPF_JEQ | BPF_K,
        "jgt" => BPF_JMP | BPF_JGT | BPF_K,
        "jge" => BPF_JMP | BPF_JGE | BPF_K,
        "jset" => BPF_JMP | BPF_JSET | BPF_K,
        "ret" => BPF_RET | BPF_K,
        _ => return None,
    };
    let words: Vec<&str> = words.filter(|word| *word != "…").collect();
    let constant = *words.first()?;
    let k = match code & 0x07 {
        BPF_LD => {
            *loaded = offset(constant)?;
            *loaded
        }
        BPF_RET => action(constant)?,
        _ => value(constant, *loaded),
    };
    // Nothing is said of the way to the next line.
    let distance = |word: &str| match words.iter().position(|w| *w == word) {
        Some(at) => {
            let target: usize = words.get(at + 1)?.parse().ok()?;
            u8::try_from(target.checked_sub(here + 1)?).ok()
        }
        None => Some(0),
    };
    let (jt, jf) = (distance("then")?, distance("else")?);
    Some(sock_filter { code: code as u16, jt, jf, k })
}

/// Where in `struct seccomp_data` a word lies.
fn offset(word: &str) -> Option<u32> {
    let inner = |prefix| word.strip_prefix(prefix)?.strip_suffix(']');
    match word {
        "number" => Some(bpf::NUMBER),
        "arch" => Some(bpf::ARCHITECTURE),
        _ => match inner("args[") {
            Some(index) => index.parse().ok().map(bpf::argument),
            None => inner("[")?.parse().ok(),
        },
    }
}

/// What is compared: the name of an architecture or a call, or a number.
fn value(word: &str, loaded: u32) -> u32 {
    let hex = word.strip_prefix("0x").map(|hex| u32::from_str_radix(hex, 16));
    if let Some(Ok(number)) = hex {
        return number;
    }
    let own = arch::audit_name(arch::AUDIT_ARCH) == Some(word);
    // Behind `ld args[N]` a jump may lead to where A holds the number still:
    // no value of an argument has the name of a call.
    let number = match loaded {
        bpf::ARCHITECTURE => own.then_some(arch::AUDIT_ARCH),
        _ => arch::number(word).or_else(|| word.parse().ok()),
    };
    number.unwrap_or(NAMED)
}

/// An answer of seccomp.
fn action(word: &str) -> Option<u32> {
    match word {
        "ALLOW" => Some(libc::SECCOMP_RET_ALLOW),
        "KILL_PROCESS" => Some(libc::SECCOMP_RET_KILL_PROCESS),
        _ => match word.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => {
                let name = word.strip_prefix("ERRNO(")?.strip_suffix(')')?;
                let is_it = |errno: &i32| {
                    format!("{:?}", Errno::from_raw(*errno)) == name
                };
                let errno = (1..4096).find(is_it)? as u32;
                Some(libc::SECCOMP_RET_ERRNO | errno)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use step08::calls::Calls;

    use super::*;
    use crate::check::filter::answer;

    /// All that is listed comes back; of the arguments of a call the names.
    #[test]
    fn a_listing_is_read_as_the_program_that_was_listed() {
        let program = step08::seccomp::program(&Calls::default());
        let listing = step08::disassemble::disassemble(&program);
        let read = instructions(&listing).expect("read it");
        assert_eq!(read.len(), program.len());
        for (read, meant) in read.iter().zip(&program) {
            let shape = |it: &sock_filter| (it.code, it.jt, it.jf);
            assert_eq!(shape(read), shape(meant));
            assert!(read.k == meant.k || read.k == NAMED, "{}", meant.k);
        }
        for (number, architecture) in
            [(0, arch::AUDIT_ARCH), (1, 3), (60_000, arch::AUDIT_ARCH)]
        {
            let [read, meant] =
                [&read, &program].map(|it| answer(it, architecture, number));
            assert_eq!(read, meant, "{number} of {architecture:#x}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(instructions("   0  ret   ALLOW").is_some(), "the control");
        for line in ["   0  ?     0x1", "   0  ret   maybe", "nothing"] {
            assert!(instructions(line).is_none(), "{line}");
        }
    }
}
