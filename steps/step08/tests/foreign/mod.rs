//! A system call of another architecture, by a process of this one.

use libc::c_long;

/// getpid(2) as an i386 program would call it: number 20, `int 0x80`.
#[cfg(target_arch = "x86_64")]
pub fn getpid() -> c_long {
    let mut result: c_long = 20;
    // SAFETY: the kernel's i386 entry leaves all registers but rax as they
    // were, save r8 to r11, which older kernels clear; getpid takes no
    // argument and touches no memory.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") result, out("r8") _,
            out("r9") _, out("r10") _, out("r11") _)
    };
    result
}

/// socket(2) as the C library of i386 makes it: socketcall(2), whose second
/// argument says where the three of socket(2) are.
#[cfg(target_arch = "x86")]
#[allow(dead_code, reason = "step12's tests have this file too")]
pub fn socketcall(family: c_long, kind: c_long, protocol: c_long) -> c_long {
    const SYS_SOCKET: c_long = 1; // linux/net.h
    let arguments = [family, kind, protocol];
    // SAFETY: the kernel reads three longs there, and they are there.
    let answer = unsafe {
        libc::syscall(libc::SYS_socketcall, SYS_SOCKET, arguments.as_ptr())
    };
    let errno = std::io::Error::last_os_error().raw_os_error();
    if answer == -1 { -c_long::from(errno.unwrap_or(0)) } else { answer }
}

#[cfg(not(target_arch = "x86"))]
#[allow(dead_code, reason = "step12's tests have this file too")]
pub fn socketcall(_: c_long, _: c_long, _: c_long) -> c_long {
    panic!("only i386 has this call")
}

#[cfg(not(target_arch = "x86_64"))]
pub fn getpid() -> c_long {
    panic!("only x86_64 processes can make calls of two architectures")
}
