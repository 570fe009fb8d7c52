//! A terminal of the container's own: a pseudo-terminal (pty(7)).
//!
//! A shell moves its jobs between foreground and background by process group
//! number, and in a new PID namespace the groups outside have no number at
//! all. So from step02 on the process gets a pty: it holds the `slave`, which
//! looks like a terminal to it; the launcher holds the `master` and carries
//! the bytes between that and the real terminal. The real one is "raw"
//! meanwhile: Ctrl-C is a byte like any other there, and only the container's
//! own terminal makes a signal of it.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{
    LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios,
    cfmakeraw, tcgetattr, tcsetattr,
};
use nix::unistd::setsid;

use super::guardian::Guardian;
use crate::failure::Advice;
use crate::stat::fstat;

nix::ioctl_write_ptr_bad!(unlock, libc::TIOCSPTLCK, libc::c_int);
nix::ioctl_write_int_bad!(open_peer, libc::TIOCGPTPEER);
nix::ioctl_read_bad!(get_size, libc::TIOCGWINSZ, libc::winsize);
nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, libc::winsize);
nix::ioctl_write_int_bad!(set_controlling, libc::TIOCSCTTY);
nix::ioctl_read_bad!(get_foreground, libc::TIOCGPGRP, libc::pid_t);

/// The name under which its master crosses the gate.
pub(super) const TERMINAL: &str = "terminal";

/// Is a person at both ends? In a pipe the bytes must pass unchanged.
pub(super) fn is_wanted() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Inside: makes the pair out of the devpts that is mounted *here*, with the
/// size and the settings of the launcher's terminal. Returns master, slave.
pub(super) fn open() -> Result<(OwnedFd, OwnedFd)> {
    let (master, slave) = pair()
        .advice("run it in a pipe, where none is needed: step03 ... | cat")?;
    let settings = tcgetattr(io::stdin())?;
    tcsetattr(&slave, SetArg::TCSANOW, &settings)?;
    copy_size(master.as_fd());
    Ok((master, slave))
}

/// Inside: makes a pair, with the kernel's own settings. Returns master, slave.
///
/// # Errors
/// ENOENT where no devpts is mounted, and when /dev/ptmx is another file.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let rules = ResolveFlag::RESOLVE_NO_MAGICLINKS;
    pair_of(AT_FDCWD, "/dev/ptmx".as_ref(), rules)
}

/// Inside: the same out of the devpts of a root that is not this process's
/// yet.
///
/// # Errors
/// As above.
pub fn pair_within(root: BorrowedFd<'_>) -> Result<(OwnedFd, OwnedFd)> {
    let rules =
        ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    pair_of(root, "dev/ptmx".as_ref(), rules)
}

fn pair_of(
    root: impl AsFd,
    path: &Path,
    rules: ResolveFlag,
) -> Result<(OwnedFd, OwnedFd)> {
    let master = open_master(root, path, rules)
        .context("open /dev/ptmx, for a terminal of the container's own")?;
    let fd = master.as_raw_fd();
    // SAFETY: the pointer is to a c_int, which is what TIOCSPTLCK reads.
    unsafe { unlock(fd, &0) }.context("unlock the new terminal")?;
    let slave = other_side(master.as_fd())?;
    Ok((master, slave))
}

/// Opens /dev/ptmx where that is what it should be. A container that runs
/// (step11) may have put something else there: a link to what the launcher has
/// open, or another device.
fn open_master(
    root: impl AsFd,
    path: &Path,
    rules: ResolveFlag,
) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let open = |flags| {
        let how = OpenHow::new().flags(flags).resolve(rules);
        openat2(root.as_fd(), path, how)
    };
    // To open a device is to do something; to look at it is not.
    let look = fstat(open(OFlag::O_PATH | OFlag::O_CLOEXEC)?)?;
    let is_device = look.st_mode & libc::S_IFMT == libc::S_IFCHR;
    ensure!(is_device && look.st_rdev == PTMX, "it is another file");
    let master = open(flags)?;
    ensure!(fstat(&master)?.st_rdev == PTMX, "it is another file by now");
    Ok(master)
}

/// Major and minor number, in all kernels (Documentation/admin-guide/
/// devices.txt).
const PTMX: libc::dev_t = libc::makedev(5, 2);

/// The slave of a master. Opening /dev/pts/N by name could meet another
/// devpts than the master's.
fn other_side(master: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open(2) flags by value and no pointer.
    let slave = unsafe { open_peer(master.as_raw_fd(), flags.bits()) }
        .context("open the other side of the new terminal")?;
    // SAFETY: the call has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(slave) })
}

/// Inside: makes the slave this process's terminal, in place of the launcher's
/// own wherever that is a terminal: 2>file stays a file.
pub(super) fn attach(slave: BorrowedFd<'_>) -> Result<()> {
    control(slave)?;
    // SAFETY: isatty takes a plain number.
    let is_terminal = |stream: &i32| unsafe { libc::isatty(*stream) } == 1;
    (0..=2).filter(is_terminal).try_for_each(|it| put_on(slave, it))
}

/// Inside: the same whatever stdin, stdout and stderr have been.
///
/// # Errors
/// EPERM when this process leads a process group.
pub fn attach_whole(slave: BorrowedFd<'_>) -> Result<()> {
    control(slave)?;
    (0..=2).try_for_each(|stream| put_on(slave, stream))
}

/// Makes it the controlling terminal, which is what decides where Ctrl-C is
/// sent. Only the leader of a session without one can.
fn control(slave: BorrowedFd<'_>) -> Result<()> {
    setsid().context("start a session, for the terminal")?;
    // SAFETY: TIOCSCTTY takes an int by value: 0, do not steal it.
    unsafe { set_controlling(slave.as_raw_fd(), 0) }
        .context("make it the controlling terminal")
        .map(drop)
}

fn put_on(slave: BorrowedFd<'_>, stream: i32) -> Result<()> {
    // SAFETY: dup2 takes plain numbers.
    Errno::result(unsafe { libc::dup2(slave.as_raw_fd(), stream) })
        .map(drop)
        .with_context(|| format!("put the terminal on descriptor {stream}"))
}

/// Outside: the real terminal, as it was found.
///
/// Made before the new process, while the launcher has one thread only.
pub(super) struct Borrowed {
    saved: Termios,
    guardian: Guardian,
}

impl Borrowed {
    /// Remembers the settings, and has a guardian give them back.
    pub(super) fn new() -> Result<Borrowed> {
        let saved =
            tcgetattr(io::stdin()).context("read the terminal's settings")?;
        let restored = saved.clone();
        let guardian = Guardian::start(&[], move || {
            // After SIGKILL the shell may have been faster, and has set its
            // terminal up for the next command line.
            if is_raw() {
                restore(&restored)
            }
        })?;
        Ok(Borrowed { saved, guardian })
    }

    /// Inside: the terminal is the launcher's to give back.
    pub(super) fn leave(self) {
        self.guardian.leave();
    }

    /// Makes it raw, for as long as the result lives.
    pub(super) fn make_raw(self, master: OwnedFd) -> Result<Terminal> {
        make_raw(&self.saved).context("make the terminal raw")?;
        // From here on both directions are driven by poll(2).
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&master, nix::fcntl::FcntlArg::F_SETFL(flags))?;
        let terminal = Terminal {
            _slave: other_side(master.as_fd())?,
            master: master.into(),
            saved: self.saved,
            _guardian: self.guardian,
        };
        // The window may have changed while the container was set up.
        terminal.resize();
        Ok(terminal)
    }
}

/// Outside: the real terminal, raw, and the master of the container's own.
pub(super) struct Terminal {
    pub(super) master: File,
    // A command may close the terminal and open it again. While no process
    // holds a slave, a master can neither be read nor waited for.
    _slave: OwnedFd,
    saved: Termios,
    // Dropped last, and it gives the terminal back.
    _guardian: Guardian,
}

impl Terminal {
    /// The window outside has changed its size (SIGWINCH).
    pub(super) fn resize(&self) {
        copy_size(self.master.as_fd());
    }

    /// Stops the launcher as SIGTSTP stops any program, but not before the
    /// terminal is as the shell expects it to be.
    pub(super) fn stop(&self) {
        restore(&self.saved);
        // SIGSTOP cannot be blocked: this returns when SIGCONT has come.
        let _ = raise(Signal::SIGSTOP);
    }

    /// SIGCONT: the shell has brought the launcher back to the foreground.
    pub(super) fn go_on(&self) {
        let _ = make_raw(&self.saved);
        self.resize();
    }

    /// Would this byte, typed now, make a SIGINT for the very process group
    /// that `pid` leads? A shell has put its jobs into groups of their own.
    pub(super) fn interrupts(&self, byte: u8, pid: nix::unistd::Pid) -> bool {
        let Ok(settings) = tcgetattr(&self.master) else { return false };
        let mut group = 0;
        // SAFETY: TIOCGPGRP writes one pid_t, as our namespace counts.
        let known =
            unsafe { get_foreground(self.master.as_raw_fd(), &mut group) };
        known.is_ok()
            && group == pid.as_raw()
            && settings.local_flags.contains(LocalFlags::ISIG)
            && settings.control_chars[SpecialCharacterIndices::VINTR as usize]
                == byte
    }
}

/// TCSADRAIN keeps what was typed ahead.
fn make_raw(saved: &Termios) -> nix::Result<()> {
    let mut raw = saved.clone();
    cfmakeraw(&mut raw);
    tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)
}

/// Is it still in the mode in which `make_raw` left it? A shell that edits its
/// line takes each key as well, but leaves signals and line ends switched on.
fn is_raw() -> bool {
    tcgetattr(io::stdin()).is_ok_and(|settings| {
        !settings.local_flags.contains(LocalFlags::ISIG)
            && !settings.output_flags.contains(OutputFlags::OPOST)
    })
}

fn restore(saved: &Termios) {
    let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, saved);
}

/// Copies the window size from the launcher's terminal to another one.
fn copy_size(to: BorrowedFd<'_>) {
    let mut size =
        libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, and this is one.
    if unsafe { get_size(0, &mut size) }.is_ok() {
        // SAFETY: TIOCSWINSZ reads one winsize.
        let _ = unsafe { set_size(to.as_raw_fd(), &size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_MAGIC: ResolveFlag = ResolveFlag::RESOLVE_NO_MAGICLINKS;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::sys::stat::Mode;
    use std::os::unix::fs::symlink;

    /// Nothing waits for the other end of a pipe, and no other file is opened.
    #[test]
    fn what_lies_in_the_place_of_ptmx_is_not_opened() {
        let folder = witness::Folder::new();
        let [null, own, pipe] =
            ["null", "own", "pipe"].map(|name| folder.join(name));
        symlink("/dev/null", &null).expect("make a link");
        symlink("/proc/self/fd/0", &own).expect("make a link");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("make a pipe");
        let error = |place| {
            let opened = open_master(AT_FDCWD, place, NO_MAGIC).map(drop);
            format!("{:#}", opened.expect_err("another file"))
        };
        witness::within("a look at what is there", || {
            assert!(error(&null).contains("another file"));
            assert!(error(&own).contains("ELOOP"));
            assert!(error(&pipe).contains("another file"));
        });
    }

    #[test]
    fn neither_side_stays_open_in_the_command() {
        let master = open_master(AT_FDCWD, "/dev/ptmx".as_ref(), NO_MAGIC)
            .expect("a terminal");
        // SAFETY: the pointer is to a c_int, which is what TIOCSPTLCK reads.
        unsafe { unlock(master.as_raw_fd(), &0) }.expect("unlock it");
        let slave = other_side(master.as_fd()).expect("its other side");
        for side in [&master, &slave] {
            let flags = fcntl(side, FcntlArg::F_GETFD);
            assert_eq!(flags, Ok(libc::FD_CLOEXEC));
            let flags = fcntl(side, FcntlArg::F_GETFL).expect("its flags");
            assert_eq!(flags & libc::O_ACCMODE, libc::O_RDWR);
        }
    }
}
