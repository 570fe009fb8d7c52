//! The container's cgroup where systemd makes it. Without systemd as PID 1
//! there is nothing to be tried. In the virtual machine it is so:
//!
//! ```text
//! scripts/vm --with systemd,dbus -- steps/step12/tests/with-systemd \
//!   target/debug/deps/systemd-…
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::unistd::Pid;
use step12::cgroup::Cgroup;
use step12::config::resources::Resources;
use witness::{Machine, eventually};

fn resources(json: &str) -> Resources {
    serde_json::from_str(json).expect("JSON")
}

/// The name of a container of this process's, if there is a systemd.
fn name() -> Option<String> {
    let is_there = Path::new("/run/systemd/system").is_dir();
    let is_v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    if !is_there || !is_v2 {
        eprintln!("not tried: systemd is not PID 1 here, or has no cgroup v2");
    }
    (is_there && is_v2).then(|| std::process::id().to_string())
}

fn choose(name: &str) -> Cgroup {
    let path = format!("workshop-test.slice:try:{name}");
    Cgroup::choose(Some(&path), "id", true).expect("a place")
}

/// Where systemd puts it.
fn folder(name: &str) -> PathBuf {
    let slices = "/sys/fs/cgroup/workshop.slice/workshop-test.slice";
    Path::new(slices).join(format!("try-{name}.scope"))
}

/// What systemd says of the unit, `NAME=VALUE` for each of these.
fn properties(name: &str, all: &str) -> String {
    let unit = format!("try-{name}.scope");
    witness::run("systemctl", &["show", "--property", all, &unit]).stdout
}

fn reload() {
    let report = witness::run("systemctl", &["daemon-reload"]);
    assert_eq!(report.status, 0, "{}", report.stderr);
}

/// A process that waits for its input.
fn waiting() -> Child {
    let mut command = witness::command("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("start it")
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

/// May a process of the group read what the kernel logs?
fn may_read_log(cgroup: &Cgroup) -> bool {
    let mut command = witness::command("sh");
    command.args(["-c", "read line; exec head -c 0 /dev/kmsg"]);
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("start it");
    cgroup.join(pid(&child)).expect("join it");
    drop(child.stdin.take());
    child.wait().expect("reap it").success()
}

fn end(cgroup: &Cgroup, mut child: Child) {
    cgroup.kill(libc::SIGKILL).expect("kill it");
    child.wait().expect("reap it");
    cgroup.remove().expect("remove it");
}

#[test]
fn a_scope_has_the_limits_and_systemd_knows_them() {
    let _machine = Machine::new();
    let Some(name) = name() else { return };
    let cgroup = choose(&name);
    let limits = resources(
        r#"{"memory": {"limit": 67108864, "swap": 100663296}, "pids":
        {"limit": 7}, "cpu": {"shares": 512, "quota": 50000, "period":
        100000, "cpus": "0"}, "devices": [{"allow": false}]}"#,
    );
    cgroup.make(&limits).expect("nothing is made yet");
    assert!(cgroup.folder().expect("none").is_none());
    assert!(!folder(&name).exists());
    let child = waiting();
    cgroup.enter(pid(&child), &limits).expect("enter it");
    let group = folder(&name);
    let read = |file: &str| {
        let text = fs::read_to_string(group.join(file)).expect(file);
        text.trim_end().to_owned()
    };
    for (file, text) in [
        ("cgroup.procs", child.id().to_string().as_str()),
        ("memory.max", "67108864"),
        ("pids.max", "7"),
        ("cpu.max", "50000 100000"),
        ("cpu.weight", "59"),
        ("cpuset.cpus", "0"),
    ] {
        assert_eq!(read(file), text, "{file}");
    }
    let known = properties(
        &name,
        "MemoryMax,MemorySwapMax,TasksMax,CPUQuotaPerSecUSec,CPUWeight,\
         AllowedCPUs,Delegate,DevicePolicy,Slice",
    );
    for line in [
        "MemoryMax=67108864",
        "MemorySwapMax=33554432",
        "TasksMax=7",
        "CPUQuotaPerSecUSec=500ms",
        "CPUWeight=59",
        "AllowedCPUs=0",
        "Delegate=yes",
        "DevicePolicy=strict",
        "Slice=workshop-test.slice",
    ] {
        assert!(known.lines().any(|it| it == line), "{line}: {known}");
    }
    assert!(!may_read_log(&cgroup), "the device was not allowed");
    // What systemd writes when it is reloaded is what we have written.
    cgroup.apply(&resources(r#"{"pids": {"limit": 9}}"#)).expect("update");
    reload();
    assert_eq!(read("pids.max"), "9");
    assert_eq!(read("memory.max"), "67108864", "not named");
    let all = r#"{"devices": [{"allow": true}]}"#;
    cgroup.apply(&resources(all)).expect("update");
    assert!(may_read_log(&cgroup), "the control");
    reload();
    assert!(may_read_log(&cgroup), "systemd has put its own back");
    let known = properties(&name, "TasksMax,DevicePolicy");
    for line in ["TasksMax=9", "DevicePolicy=auto"] {
        assert!(known.lines().any(|it| it == line), "{line}: {known}");
    }
    end(&cgroup, child);
    assert!(!group.exists());
    assert_eq!(properties(&name, "LoadState"), "LoadState=not-found\n");
    cgroup.remove().expect("once more is no error");
}

#[test]
fn what_a_container_makes_in_its_group_goes_with_it() {
    let _machine = Machine::new();
    let Some(name) = name() else { return };
    let cgroup = choose(&name);
    let child = waiting();
    cgroup.enter(pid(&child), &Resources::default()).expect("enter it");
    fs::create_dir(folder(&name).join("below")).expect("it is delegated");
    assert_eq!(cgroup.processes().expect("a list"), [pid(&child)]);
    let beside = cgroup.folder_beside(pid(&child)).expect("open it");
    assert!(beside.is_some(), "for one more process");
    cgroup.freeze(true).expect("freeze it");
    assert!(cgroup.is_frozen());
    end(&cgroup, child);
    assert!(!folder(&name).exists());
    // The same name once more.
    let child = waiting();
    cgroup.enter(pid(&child), &Resources::default()).expect("enter it");
    end(&cgroup, child);
}

#[test]
fn on_an_error_no_unit_is_left() {
    let _machine = Machine::new();
    let Some(name) = name() else { return };
    let cgroup = choose(&name);
    let child = waiting();
    // systemd has no word for it, and the kernel refuses it.
    let bad = resources(r#"{"unified": {"cpu.idle": "7"}}"#);
    let error = cgroup.enter(pid(&child), &bad).expect_err("refused");
    let error = format!("{error:#}");
    assert!(error.contains("linux.resources.unified.cpu.idle"), "{error}");
    eventually("the unit to be gone", || !folder(&name).exists());
    let mut child = child;
    child.kill().expect("end it");
    child.wait().expect("reap it");
    cgroup.remove().expect("nothing is left to remove");
    // And what makes no sense is found before there is a unit.
    let bad = resources(r#"{"unified": {"a/b.c": "7"}}"#);
    assert!(cgroup.make(&bad).is_err());
}

#[test]
fn without_systemd_its_driver_is_refused() {
    if Path::new("/run/systemd/system").is_dir() {
        return;
    }
    let path = Some("system.slice:docker:7");
    let error = Cgroup::choose(path, "id", true).expect_err("refused");
    assert!(error.to_string().contains("systemd does not run"), "{error}");
}
