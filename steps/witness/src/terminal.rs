//! A person in front of a terminal: types, reads the screen, resizes it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;

use crate::watch::within;
use crate::{command, eventually, process, watch};

use control::{set_controlling, set_size};

#[allow(missing_docs, reason = "the macros make public functions")]
mod control {
    nix::ioctl_write_int_bad!(set_controlling, libc::TIOCSCTTY);
    nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, nix::pty::Winsize);
}

/// A terminal with a program in it.
pub struct Terminal {
    keyboard_and_screen: File,
    slave: File,
    program: Child,
    /// How the terminal was set up before the program was started.
    pub before: Termios,
    /// Everything that has appeared on the screen.
    pub screen: String,
    /// How long to wait for something to appear on the screen.
    pub patience: Duration,
    /// The first bytes of a character that has not arrived completely.
    unread: Vec<u8>,
}

impl Terminal {
    /// Starts a program on a new terminal of 80 columns and 24 rows, which
    /// becomes its controlling terminal.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn start(binary: &str, arguments: &[&str]) -> Terminal {
        let mut command = command(binary);
        command.args(arguments);
        Terminal::run(command, true)
    }

    /// The same, but its stdout is a pipe: `stepNN ... | less`.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn start_in_a_pipe(
        binary: &str,
        arguments: &[&str],
    ) -> (Terminal, ChildStdout) {
        let mut command = command(binary);
        command.args(arguments).stdout(Stdio::piped());
        let mut terminal = Terminal::run(command, false);
        let stdout = terminal.program.stdout.take();
        (terminal, stdout.expect("a pipe from stdout"))
    }

    /// Starts any command on a new terminal: with that as its stdout, or with
    /// the stdout that was chosen already.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn run(mut command: Command, with_stdout: bool) -> Terminal {
        let size =
            Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("open a terminal");
        let slave = File::from(pty.slave);
        // A program that held the master would keep its own window open.
        for side in [pty.master.as_fd(), slave.as_fd()] {
            let flag = FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC);
            fcntl(side, flag).expect("mark it close-on-exec");
        }
        let end = || slave.try_clone().expect("share the terminal");
        command.env("TERM", "xterm").stdin(end()).stderr(end());
        if with_stdout {
            command.stdout(end());
        }
        // SAFETY: between fork and exec only these two system calls are made,
        // and neither allocates.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                set_controlling(0, 0)?;
                Ok(())
            });
        }
        let before = tcgetattr(&slave).expect("read the settings");
        let program = command.spawn().expect("start it on the terminal");
        Terminal {
            keyboard_and_screen: File::from(pty.master),
            slave,
            program,
            before,
            screen: String::new(),
            patience: crate::patience(),
            unread: Vec::new(),
        }
    }

    /// Types this.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.paste(keys.as_bytes());
    }

    /// Types any bytes.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn paste(&mut self, bytes: &[u8]) {
        let write = || self.keyboard_and_screen.write_all(bytes);
        within("the terminal to take what is typed", write).expect("type");
    }

    /// Types until the program takes no more keys: until it is asleep, several
    /// times in a row, with its terminal full.
    ///
    /// # Panics
    /// When the terminal is gone, or never full.
    pub fn fill(&mut self) {
        let screen = self.keyboard_and_screen.as_fd();
        let flags = FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK);
        fcntl(screen, flags).expect("make the terminal not wait");
        let mut times = 0;
        eventually("the terminal to be full", || {
            let typed = nix::unistd::write(screen, &[b'x'; 4096]);
            let is_asleep = process::state(self.pid()) == Some('S');
            match typed == Err(Errno::EAGAIN) && is_asleep {
                true => times += 1,
                false => times = 0,
            }
            times == 10
        });
    }

    /// Waits until this appears on the screen, after what the last call waited
    /// for. Returns all that has appeared since then.
    ///
    /// # Panics
    /// When it does not appear, with what did.
    pub fn expect(&mut self, text: &str) -> String {
        let seen = self.until(|screen| screen.contains(text));
        self.screen = seen.unwrap_or_else(|| {
            let words = format!("waited in vain for {text:?} on the screen");
            watch::in_vain(&words);
            panic!("{words}:\n{}", self.screen)
        });
        let seen = self.screen.find(text).unwrap_or(0) + text.len();
        self.screen.drain(..seen).collect()
    }

    /// Waits until `is_so` of the screen, and takes what is on it then.
    /// `None` when it never does; the screen then stays as it is.
    pub fn until(&mut self, is_so: impl Fn(&str) -> bool) -> Option<String> {
        let start = Instant::now();
        while !is_so(&self.screen) {
            if start.elapsed() > self.patience {
                return None;
            }
            within("something on the screen", || self.look());
        }
        Some(std::mem::take(&mut self.screen))
    }

    /// Closes the window: the kernel hangs the terminal up.
    ///
    /// # Panics
    /// When there is no /dev/null.
    pub fn hang_up(&mut self) {
        let nothing = File::options().read(true).write(true).open("/dev/null");
        self.keyboard_and_screen = nothing.expect("open /dev/null");
    }

    fn look(&mut self) {
        let screen = self.keyboard_and_screen.as_fd();
        let mut fds = [PollFd::new(screen, PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(50u8)) != Ok(1) {
            return;
        }
        let mut buffer = [0; 4096];
        if let Ok(length) = self.keyboard_and_screen.read(&mut buffer) {
            self.unread.extend(&buffer[..length]);
        }
        // The last character may not have arrived completely.
        let whole = match std::str::from_utf8(&self.unread) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.unread.len(),
        };
        let bytes: Vec<u8> = self.unread.drain(..whole).collect();
        self.screen.push_str(&String::from_utf8_lossy(&bytes));
    }

    /// Changes the size of the window.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: TIOCSWINSZ reads one winsize, and this is one.
        unsafe { set_size(self.keyboard_and_screen.as_raw_fd(), &size) }
            .expect("resize the terminal");
    }

    /// How the terminal is set up now: echo, line editing, signals.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.slave).expect("read the terminal's settings")
    }

    /// Is it raw, so that every key is a byte like any other?
    pub fn is_raw(&self) -> bool {
        let cooked = LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::ECHO;
        !self.settings().local_flags.intersects(cooked)
    }

    /// Is it as it was before the program was started?
    pub fn is_as_before(&self) -> bool {
        self.settings() == self.before
    }

    /// Its other end, the one that the program has.
    pub fn slave(&self) -> &File {
        &self.slave
    }

    /// The number of the program.
    pub fn pid(&self) -> i32 {
        self.program.id() as i32
    }

    /// Waits until the program has ended, and returns its status, or 128+N.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(&mut self) -> i32 {
        let mut status = None;
        eventually("the program on the terminal to end", || {
            // A program whose output is not read would wait for ever.
            self.look();
            status = self.program.try_wait().expect("wait for the program");
            status.is_some()
        });
        let status = status.expect("a status");
        status.code().unwrap_or(128 + status.signal().unwrap_or(0))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program is still running when a test has failed, or has tested
        // a failure. Killing a shell does not end its background jobs.
        if let Ok(None) = self.program.try_wait() {
            for pid in process::session(self.program.id() as i32) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = self.program.wait();
    }
}
