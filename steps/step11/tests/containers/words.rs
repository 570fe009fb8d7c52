//! Words that hands type which know other programs.

use witness::terminal::Terminal;
use witness::{Machine, run};

use crate::{Container, STEP11, new_name};

#[test]
fn a_terminal_may_be_asked_for_where_there_is_one() {
    let _machine = Machine::new();
    let container = Container { name: new_name() };
    let flags = ["run", "-it", "-q", "--rm", "--network", "none", "--name"];
    let call = [&flags[..], &[&container.name, "sh"]].concat();
    let mut terminal = Terminal::start(STEP11, &call);
    terminal.expect("step11 # ");
    let call = ["exec", "-it", &container.name, "tty"];
    let mut second = Terminal::start(STEP11, &call);
    second.expect("/dev/pts/");
    assert_eq!(second.wait(), 0);
    terminal.press("exit 4\r");
    assert_eq!(terminal.wait(), 4);
}

#[test]
fn a_terminal_that_cannot_be_had_is_an_error() {
    let _machine = Machine::new();
    let container = Container::start(&[], "exec sleep 1000");
    let usual = ["--network", "none", "--rm", "-q"];
    for (flag, status) in [("-t", 125), ("-it", 125), ("-i", 0)] {
        let run_it = [&["run", flag], &usual[..], &["true"]].concat();
        let exec_it = ["exec", flag, &container.name, "true"];
        for call in [&run_it[..], &exec_it] {
            let report = run(STEP11, call);
            assert_eq!(report.status, status, "{call:?}: {}", report.stderr);
            let told = report.stderr.contains("the input device is not a TTY");
            assert_eq!(told, status != 0, "{}", report.stderr);
        }
        let detached = [&["run", "-d", flag], &usual[..], &["true"]].concat();
        let report = run(STEP11, &detached);
        assert_eq!(report.status, 125, "{flag}: {}", report.stdout);
        assert!(report.stderr.contains("exec -it"), "{}", report.stderr);
    }
}

#[test]
fn a_terminal_has_two_ends() {
    let _machine = Machine::new();
    // Somebody types, and what is printed goes into a pipe.
    let usual = ["run", "-q", "--rm", "--network", "none"];
    let insisting = [&usual[..], &["-t", "echo", "ran"]].concat();
    let (mut terminal, pipe) = Terminal::start_in_a_pipe(STEP11, &insisting);
    terminal.expect("the output device is not a TTY");
    assert_eq!(terminal.wait(), 125);
    drop(pipe);
    let (mut terminal, mut pipe) = Terminal::start_in_a_pipe(
        STEP11,
        &[&usual[..], &["echo", "ran"]].concat(),
    );
    let mut text = String::new();
    std::io::Read::read_to_string(&mut pipe, &mut text).expect("read it");
    assert_eq!((&*text, terminal.wait()), ("ran\n", 0), "the control");
}

#[test]
fn detached_its_name_is_all_that_stdout_has() {
    let _machine = Machine::new();
    let container = Container { name: new_name() };
    let flags = ["run", "-d", "--network", "none", "--name", &container.name];
    let report = run(STEP11, &[&flags[..], &["sleep", "1000"]].concat());
    assert_eq!(report.stdout, format!("{}\n", container.name));
    assert!(report.stderr.contains("blind  hostname"), "{}", report.stderr);
}

#[test]
fn a_host_is_called_like_its_container() {
    let _machine = Machine::new();
    let look = "hostname; cat /etc/hostname; echo $HOSTNAME; exec sleep 1000";
    let container = Container::start(&[], look);
    let name = &container.name;
    witness::eventually("its words", || container.log().lines().count() == 3);
    assert_eq!(container.log(), format!("{name}\n{name}\n{name}\n"));
    // The control: any other name, also the one that lower rungs give.
    for other in ["box", "cellar"] {
        let container = Container::start(&["--hostname", other], look);
        witness::eventually("its words", || {
            container.log() == format!("{other}\n{other}\n{other}\n")
        });
        let report = container.exec(&[], &["sh", "-c", "echo $HOSTNAME"]);
        assert_eq!(report.stdout, format!("{other}\n"));
    }
}

#[test]
fn a_privileged_one_has_all_that_step08_and_step10_take() {
    let _machine = Machine::new();
    let look = "grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status; \
        : >/proc/sysrq-trigger && echo unmasked";
    let bits = |report: &witness::Report| {
        let line = report.stdout.lines().find(|l| l.starts_with("CapEff"));
        let line = line.expect("capabilities");
        let number = line.trim_start_matches("CapEff:").trim();
        u64::from_str_radix(number, 16).expect("a number").count_ones()
    };
    let free = Container::start(&["--privileged"], "exec sleep 1000");
    let report = free.exec(&[], &["sh", "-c", look]);
    assert!(bits(&report) > 30, "{}", report.stdout);
    for line in ["Seccomp:\t0\n", "NoNewPrivs:\t0\n"] {
        assert!(report.stdout.contains(line), "{}", report.stdout);
    }
    let control = Container::start(&[], "exec sleep 1000");
    let report = control.exec(&[], &["sh", "-c", look]);
    assert_eq!(bits(&report), 14, "{}", report.stdout);
    assert!(report.stdout.contains("Seccomp:\t2\n"), "{}", report.stdout);
}

#[test]
fn what_is_left_out_is_answered_with_what_to_use() {
    let _machine = Machine::new();
    for (word, advice) in [
        ("pull", "cargo workshop rootfs"),
        ("build", "--upper"),
        ("commit", "--upper"),
        ("push", "tar"),
        ("attach", "logs --follow"),
        ("diff", "--changes"),
        ("create", "run -d"),
        ("container", "without that word"),
        ("network", "run --network"),
        ("compose", "shell script"),
        ("info", "cargo workshop doctor"),
        // What is no command of anybody's may be one for a container.
        ("alpine", "step11 run alpine"),
        ("sh", "step11 run sh"),
        ("stpo", "step11 stop"),
    ] {
        let report = run(STEP11, &[word]);
        assert_eq!(report.status, 2, "{word}: {}", report.stdout);
        let tips = report.stderr.matches("tip: ").count();
        assert_eq!(tips, 1, "{word}: {}", report.stderr);
        assert!(report.stderr.contains(advice), "{word}: {}", report.stderr);
    }
}

#[test]
fn a_flag_that_is_not_there_is_answered_with_one_that_is() {
    let _machine = Machine::new();
    for (call, advice) in [
        (&["run", "--ulimit", "nofile=9", "true"][..], "--rlimit"),
        (&["run", "--mount", "x", "true"], "--volume"),
        (&["run", "--security-opt", "x", "true"], "--seccomp none"),
        (&["run", "-P", "true"], "--publish"),
        (&["run", "--shm-size", "1g", "true"], "--memory"),
        (&["run", "--log-driver", "x", "true"], "`logs` shows them"),
        (&["logs", "--timestamps", "x"], "without their times"),
        (&["--memory", "8M", "true"], "is a flag of run"),
        (&["-it", "sh"], "is a flag of run"),
        (&["logs", "-t", "x"], "without their times"),
        (&["exec", "--privileged", "x", "true"], "run --privileged"),
        (&["exec", "-d", "x", "true"], "COMMAND >/dev/null"),
        (&["kill", "-9", "x"], "--signal"),
        (&["ps", "-aqf", "status=exited"], "`prune` forgets"),
        (&["ps", "--filter", "name=x"], "grep"),
        (&["stats", "--memory", "8M"], "of run, and stats has none"),
    ] {
        let report = run(STEP11, call);
        assert_eq!(report.status, 2, "{call:?}: {}", report.stdout);
        assert!(report.stderr.contains(advice), "{call:?}: {}", report.stderr);
        assert!(!report.stderr.contains("as a value"), "{}", report.stderr);
    }
    // The control: what clap finds by itself it still says.
    let report = run(STEP11, &["run", "--memry", "8M", "true"]);
    assert!(report.stderr.contains("'--memory'"), "{}", report.stderr);
}

#[test]
fn without_handcuffs_the_rung_that_was_run_is_named() {
    let _machine = Machine::new();
    let script = format!(
        "mount -t tmpfs none /sys/fs/cgroup && \
         exec {STEP11} run -q --rm --network none -m 64M true"
    );
    let report = run("unshare", &["--mount", "sh", "-c", &script]);
    assert_eq!(report.status, 125, "{}", report.stdout);
    let advice = "scripts/vm cargo run -p step11";
    assert!(report.stderr.contains(advice), "{}", report.stderr);
    let free = script.replace("-m 64M", "");
    let free = run("unshare", &["--mount", "sh", "-c", &free]);
    assert_eq!(free.status, 0, "the control: {}", free.stderr);
}
