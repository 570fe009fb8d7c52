//! The launcher's own program, which the next container is started with.
//!
//! Root inside is the person who built it and may write to it; what is missing
//! is a path. `/proc/PID/exe` of a process that executes it is one, past every
//! mount namespace: held open until nobody executes the program any more, and
//! then written to (CVE-2019-5736). See loose.rs for the mount that it is on.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::pipe2;
use witness::{Covers, Folder, Machine, eventually, process};

use crate::loose::{REFUSED, make_writable, victim};
use crate::{
    ATTEMPT, Answer, STEP10, VARIABLE, done, errno, find_answers, inside,
    own_program,
};

/// The user who owns the program and is root inside.
pub const PERSON: u32 = 1500;

/// The program that a process executes.
pub fn program_of(pid: &str) -> Answer {
    let path = fs::read_link(format!("/proc/{pid}/exe")).map_err(errno)?;
    Ok(path.display().to_string())
}

/// Holds the program that a process executes, and writes to it afterwards.
/// Says what the kernel says until then.
pub fn overwrite(pid: &str) -> Answer {
    let mut held = File::options();
    held.read(true).custom_flags(libc::O_PATH);
    let held = held.open(format!("/proc/{pid}/exe")).map_err(errno)?;
    println!("\nanswer: {}", make_writable(&held)?);
    let path = format!("/proc/self/fd/{}", held.as_raw_fd());
    let open = || File::options().write(true).open(&path).map_err(errno);
    println!("\nanswer: {:?}", open().expect_err("it is executed"));
    eventually("the end of the program", || {
        !matches!(open(), Err(Errno::ETXTBSY))
    });
    println!("\nanswer: {}", make_writable(&held)?);
    open()?.write_all(b"overwritten").map_err(errno)?;
    done()
}

#[test]
fn init_does_not_show_its_program() {
    let _machine = Machine::new();
    // With --init, PID 1 is the launcher's program as long as the container
    // lives. The guard: it is not dumpable (PR_SET_DUMPABLE(2const)), and so
    // its files in /proc are for the machine's root only.
    assert_eq!(inside(&["--init"], &["program-of 1"]), ["EACCES"]);
    let powers = ["--init", "--cap-add", "all"];
    assert_eq!(inside(&powers, &["program-of 1"]), ["EACCES"]);
    // The control: PID 1 is the command, which has nothing to hide.
    assert_eq!(inside(&[], &["program-of 1"]), [crate::PROGRAM]);
}

#[test]
fn the_launchers_program_cannot_be_overwritten() {
    let _machine = Machine::new();
    let _mounts = Covers::new();
    // On a disk, and in memory: there the program looks sealed already, as all
    // files of a tmpfs have a place for seals.
    let folder = Folder::below(Path::new("/var/tmp"));
    let [uid, gid] =
        ["SUDO_UID", "SUDO_GID"].map(|it| format!("{it}={PERSON}"));
    let with_sudo = ["env", &uid, &gid];
    // The guard: it is executed from a read-only mount, which nobody can
    // change any more.
    try_to_overwrite(&folder, &with_sudo, "/", "EROFS");
    // Without root no mount is to be had, and the guard is another: what is
    // executed is a copy in memory, which is sealed (fcntl(2), F_SEAL_WRITE).
    let image = folder.join("image");
    fs::create_dir(&image).expect("make an image");
    for name in ["lib", "lib64"] {
        symlink(format!("usr/{name}"), image.join(name)).expect("a link");
    }
    let image = image.to_str().expect("a plain path");
    let [uid, gid] = ["--reuid", "--regid"].map(|it| format!("{it}={PERSON}"));
    let rootless = ["setpriv", &uid, &gid, "--clear-groups"];
    try_to_overwrite(&folder, &rootless, image, "EPERM");
    let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
    mount(kind, folder.path(), kind, flags, Some("mode=755"))
        .expect("mount a tmpfs");
    try_to_overwrite(&folder, &with_sudo, "/", "EROFS");
    umount2(folder.path(), MntFlags::MNT_DETACH).expect("unmount it");
}

/// As cargo does it, which makes a program anew while the old one starts.
#[test]
fn a_program_whose_name_is_gone_finds_its_folder() {
    let _machine = Machine::new();
    let folder = Folder::below(Path::new("/var/tmp"));
    let launcher = copy(STEP10, &folder.join("launcher"));
    let script = "exec 3<$0; [ $1 = stays ] || rm $0; shift; \
                  exec /proc/self/fd/3 \"$@\"";
    for name in ["stays", "goes"] {
        let mut command = witness::command("sh");
        command.args(["-c", script, &launcher, name, "-q"]);
        command.args(["--network", "none", "true"]);
        let status = command.status().expect("start it");
        assert!(status.success(), "{name}: {status}");
        // Beside the program, and nowhere else, it has made what it needs.
        let made = folder.join("rootfs");
        assert!(made.is_dir(), "{name}");
        assert!(!Path::new("/rootfs").exists(), "{name}");
        fs::remove_dir_all(made).expect("remove it");
    }
}

/// The launcher starts with these words; the attempt ends with this answer.
fn try_to_overwrite(
    folder: &Folder,
    start: &[&str],
    image: &str,
    answer: &str,
) {
    let launcher = copy(STEP10, &folder.join("launcher"));
    let attacker = copy(&own_program(), &folder.join("attacker"));
    let volume = Folder::new();
    let script = "#!/proc/self/exe --dump-seccomp\n";
    fs::write(volume.join("self"), script).expect("write a script");
    let open_to_all = Permissions::from_mode(0o755);
    fs::set_permissions(volume.join("self"), open_to_all).expect("its mode");
    let before = fs::read(&launcher).expect("read the launcher");

    // The command of this container is the launcher's program once more, and
    // prints more than its pipe takes: it stays until the pipe is read.
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).expect("make a pipe");
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).expect("make it small");
    let mut command = witness::command(start[0]);
    command.args(&start[1..]).args([&launcher, "-q", "--network", "none"]);
    let volume = format!("{}:/volume", volume.path().display());
    command.args(["--image", image, "--volume", "/usr:/usr:ro"]);
    command.args(["--volume", &volume, "/volume/self"]);
    let command = command.stdin(Stdio::null()).stdout(writer);
    let mut container = command.spawn().expect("start a container");
    let pid = first_process(&container);
    command.stdout(Stdio::null());

    let mut attack = attack(&attacker, pid);
    assert_eq!(attack.hear(), REFUSED);
    assert_eq!(attack.hear(), "ETXTBSY");
    let mut dump = String::new();
    File::from(reader).read_to_string(&mut dump).expect("read the pipe");
    assert!(dump.len() > 4096 && dump.contains("KILL_PROCESS"), "{dump}");
    assert!(container.wait().expect("wait for it").success());
    assert_eq!(attack.hear(), REFUSED);
    assert_eq!(attack.hear(), answer);
    let after = fs::read(&launcher).expect("read the launcher again");
    assert!(before == after, "the launcher's program was changed");
}

/// The control: a program that is executed as it is.
#[test]
fn one_that_is_not_sealed_can_be() {
    let _machine = Machine::new();
    let folder = Folder::new();
    let program = copy("/bin/cat", &folder.join("cat"));
    let attacker = copy(&own_program(), &folder.join("attacker"));
    let mut victim = victim(&program);
    let mut attack = attack(&attacker, victim.id() as i32);
    assert_eq!(attack.hear(), REFUSED);
    assert_eq!(attack.hear(), "ETXTBSY");
    drop(victim.stdin.take());
    victim.wait().expect("wait for it");
    assert_eq!(attack.hear(), REFUSED);
    assert_eq!(attack.hear(), "done");
    let after = fs::read(&program).expect("read it again");
    assert!(after.starts_with(b"overwritten"));
}

/// A copy that belongs to the person.
pub fn copy(from: &str, to: &Path) -> String {
    fs::copy(from, to).expect("copy a program");
    chown(to, Some(PERSON), Some(PERSON)).expect("give it to the person");
    to.to_str().expect("a plain path").into()
}

/// The first process of the container, once it executes its command: by the
/// name of the script, or by the one that the program gives itself.
fn first_process(launcher: &Child) -> i32 {
    let mut found = None;
    eventually("the command of the container", || {
        let children = process::children(launcher.id() as i32);
        let is_it = |pid: &i32| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline"));
            line.is_ok_and(|line| line.ends_with("\0/volume/self\0"))
                && ["self", "exe"].contains(&&*process::name(*pid))
        };
        found = children.into_iter().find(is_it);
        found.is_some()
    });
    found.expect("a process")
}

/// The attempt by root of that process's user namespace, who is given the
/// machine's own /proc to make it easier.
pub struct Attack {
    attacker: Child,
    heard: BufReader<std::process::ChildStdout>,
}

pub fn attack(attacker: &str, pid: i32) -> Attack {
    let mut command = witness::command("nsenter");
    command.args(["--target", &pid.to_string(), "--user", attacker]);
    command.args(ATTEMPT).env(VARIABLE, format!("overwrite {pid}"));
    let mut attacker = command.stdout(Stdio::piped()).spawn().expect("attack");
    let stdout = attacker.stdout.take().expect("a pipe from stdout");
    Attack { attacker, heard: BufReader::new(stdout) }
}

impl Attack {
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let length = self.heard.read_line(&mut line).expect("hear it");
            assert_ne!(length, 0, "the attempt has ended early");
            if let Some(answer) = find_answers(&line).pop() {
                return answer;
            }
        }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.attacker.wait();
    }
}
