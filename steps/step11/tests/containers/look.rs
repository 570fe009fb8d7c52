//! Looking at containers: what is printed of them, and in which form.

use serde_json::Value;
use witness::{Machine, eventually, process, run};

use crate::{Container, STEP11, new_name};

/// A container with a cable, and a port of the machine.
fn connected() -> (Container, u16) {
    // A port that is free: the kernel chooses it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its number").port();
    drop(free);
    let container = Container { name: new_name() };
    let ports = format!("127.0.0.1:{port}:80/tcp");
    let flags = ["run", "-qd", "--network", "bridge", "-p", &ports];
    let command = ["--name", &container.name, "--", "sleep", "1000"];
    let report = run(STEP11, &[&flags[..], &command].concat());
    assert_eq!(report.status, 0, "{}", report.stderr);
    (container, port)
}

#[test]
fn its_address_is_that_of_its_eth0() {
    let _machine = Machine::new();
    let (container, port) = connected();
    let show = ["ip", "-4", "-o", "address", "show", "eth0"];
    let shown = container.exec(&[], &show).stdout;
    let address = container.inspect()["address"].clone();
    let address = address.as_str().expect("an address").to_owned();
    assert!(shown.contains(&format!(" {address}/")), "{shown}");
    assert!(container.line().expect("a line").contains(&address));
    let path = "{{.NetworkSettings.IPAddress}}";
    let found = run(STEP11, &["inspect", "-f", path, &container.name]);
    assert_eq!(found.stdout.trim_end(), address);
    let ports = run(STEP11, &["port", &container.name]).stdout;
    assert_eq!(ports, format!("80/tcp -> 127.0.0.1:{port}\n"));
    for inside in ["80", "80/tcp"] {
        let one = run(STEP11, &["port", &container.name, inside]).stdout;
        assert_eq!(one, format!("127.0.0.1:{port}\n"));
    }
    let none = run(STEP11, &["port", &container.name, "81"]);
    assert_eq!(none.status, 125, "{}", none.stdout);
    let control = Container::start(&[], "exec sleep 1000");
    assert_eq!(control.inspect()["address"], Value::Null);
    assert_eq!(control.call(&["port"]).stdout, "");
}

#[test]
fn lines_of_ones_own_have_the_fields_that_were_asked_for() {
    let _machine = Machine::new();
    let (container, port) = connected();
    let ps = |format: &str| {
        let report = run(STEP11, &["ps", "--format", format]);
        let name = &container.name;
        let line = report.stdout.lines().find(|line| line.contains(name));
        line.map_or(report.stderr.clone(), str::to_owned)
    };
    let (name, pid) = (&container.name, container.pid());
    let ports = format!("127.0.0.1:{port}->80/tcp");
    let line = ps("{{.Names}}\\t{{.State}} {{.Pid}} {{ .Ports }}");
    assert_eq!(line, format!("{name}\trunning {pid} {ports}"));
    let json: Value = serde_json::from_str(&ps("json")).expect("JSON");
    assert_eq!(json["Command"], "sleep 1000");
    assert_eq!(json["Ports"], *ports);
    let table = ["ps", "--format", "table {{.ID}}\\t{{.Address}}"];
    let table = run(STEP11, &table).stdout;
    assert!(table.starts_with("ID "), "{table}");
    let columns: Vec<Option<usize>> = table
        .lines()
        .filter(|line| line.starts_with("ID ") || line.starts_with(name))
        .map(|line| line.find("ADDRESS").or(line.find("10.77.")))
        .collect();
    assert!(columns.len() == 2 && columns[0] == columns[1], "{table}");
    for wrong in ["{{.Image}}", "{{.Names", "{{range .}}"] {
        let report = run(STEP11, &["ps", "--format", wrong]);
        assert_eq!(report.status, 2, "{wrong}: {}", report.stdout);
    }
    assert!(
        run(STEP11, &["ps", "--format", "{{.Image}}"])
            .stderr
            .contains(".Names .ID .Status")
    );
}

#[test]
fn a_path_leads_to_one_thing_that_inspect_knows() {
    let _machine = Machine::new();
    let container = Container::start(&[], "read nothing; exit 5");
    eventually("its end", || container.inspect()["status"] == "exited");
    let ask = |format: &str| {
        run(STEP11, &["inspect", "-f", format, &container.name])
    };
    let template = "{{.State.Status}} {{.State.ExitCode}} {{.ended.status}}";
    assert_eq!(ask(template).stdout, "exited 5 5\n");
    assert_eq!(ask("{{.State.OOMKilled}}").stdout, "false\n");
    assert_eq!(ask("{{.Name}}").stdout, format!("{}\n", container.name));
    assert_eq!(ask("{{json .command}}").stdout.matches('"').count(), 6);
    let wrong = ask("{{.State.Health}}");
    assert_eq!((wrong.status, &*wrong.stdout), (125, ""));
    assert!(wrong.stderr.contains(".ExitCode"), "{}", wrong.stderr);
}

#[test]
fn its_processes_are_counted_by_both_sides() {
    let _machine = Machine::new();
    // One of them in a PID namespace of its own, below the container's.
    let script = "sleep 1001 & exec unshare -f -p sleep 1002";
    let free = ["--cap-add", "sys_admin", "--seccomp", "none"];
    let container = Container::start(&free, script);
    let top = || container.call(&["top"]).stdout;
    eventually("all of them", || top().matches("sleep 100").count() == 3);
    let (top, pid) = (top(), container.pid());
    let mut lines = top.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[0].to_owned(), words[1].to_owned(), line.to_owned())
    });
    let (head, inside, _) = lines.next().expect("a head");
    assert_eq!((&*head, &*inside), ("PID", "INSIDE"));
    let first = lines.next().expect("PID 1");
    assert_eq!((first.0, &*first.1), (pid.to_string(), "1"));
    for (outside, inside, line) in lines {
        let numbers =
            process::status(outside.parse().expect("a number"), "NSpid");
        let numbers = numbers.expect(&line);
        let its: Vec<&str> = numbers.split_whitespace().collect();
        assert_eq!((its[0], its[1]), (&*outside, &*inside), "{line}");
    }
    assert!(!top.contains("step11"), "{top}");
    let over = Container::start(&[], "exit 0");
    eventually("its end", || over.inspect()["status"] == "exited");
    assert_eq!(over.call(&["top"]).status, 125, "the control");
}

#[test]
fn a_log_can_be_read_from_near_its_end() {
    let _machine = Machine::new();
    let script = "mkfifo /gate; echo one; echo two; echo three; \
        read x </gate; echo four";
    let container = Container::start(&[], script);
    eventually("three lines", || container.log().lines().count() == 3);
    let logs = |tail: &[&str]| container.call(&[&["logs"], tail].concat());
    assert_eq!(logs(&["--tail", "2"]).stdout, "two\nthree\n");
    assert_eq!(logs(&["-n1"]).stdout, "three\n");
    assert_eq!(logs(&["--tail", "0"]).stdout, "");
    assert_eq!(logs(&["--tail", "all"]).stdout, container.log());
    assert_eq!(logs(&["--tail", "x"]).status, 2);
    let follow = ["logs", "--tail", "1", "-f", &container.name];
    let mut follow = std::process::Command::new(STEP11)
        .args(follow)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("follow it");
    assert!(follow.try_wait().expect("look").is_none(), "it waits");
    container.exec(&[], &["sh", "-c", "echo >/gate"]);
    let output = follow.wait_with_output().expect("its end");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("four\n") && !text.contains("two"), "{text}");
}
