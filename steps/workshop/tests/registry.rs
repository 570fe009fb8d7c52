//! `workshop rootfs docker://NAME`, from a real registry on this machine.

mod target;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;

use anyhow::{Context, Result};
use serde_json::json;
use tar::EntryType::Regular;
use target::layout::Layout;
use target::{Target, names, output_of};

/// A registry that is gone when this is dropped.
struct Registry {
    server: Child,
    /// HOST:PORT
    host: String,
}

impl Registry {
    /// Starts one that keeps its images below the target folder; `users` is the
    /// content of an htpasswd(1) file.
    fn start(target: &Target, users: Option<&str>) -> Result<Registry> {
        let folder = target.path("registry");
        fs::create_dir(&folder)?;
        let mut settings = json!({
            "version": "0.1",
            "log": {"level": "info", "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": folder}},
            // The kernel chooses a free port, and the server names it.
            "http": {"addr": "127.0.0.1:0"},
        });
        if let Some(users) = users {
            let path = folder.join("users");
            fs::write(&path, users)?;
            settings["auth"] =
                json!({"htpasswd": {"realm": "workshop", "path": path}});
        }
        let file = folder.join("settings.yml");
        // All JSON is YAML.
        fs::write(&file, settings.to_string())?;
        let mut server = witness::command("docker-registry")
            .arg("serve")
            .arg(&file)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let words = server.stderr.take().context("no pipe")?;
        let host = witness::within("the registry to listen", move || {
            let mut lines = BufReader::new(words).lines();
            let host = lines.by_ref().find_map(|line| {
                let line = line.ok()?;
                let (_, host) = line.split_once("listening on ")?;
                Some(host.split('"').next()?.to_owned())
            });
            // It waits when nobody reads on.
            thread::spawn(move || lines.for_each(drop));
            host
        });
        let host = host.context("the registry has ended")?;
        Ok(Registry { server, host })
    }

    /// Puts the layout `image` of the target folder there.
    fn push(&self, target: &Target, name: &str, login: &[&str]) -> Result<()> {
        let to = format!("docker://{}/{name}", self.host);
        let mut push = witness::command("skopeo");
        push.args(["--insecure-policy", "copy", "--dest-tls-verify=false"])
            .args(login)
            .args(["oci:image:latest", &to])
            .current_dir(&target.0);
        output_of(push.output()?).map(drop)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A target folder with a layout `image` that has one file, and says something.
fn target() -> Result<Target> {
    let target = Target::new()?;
    let layout = Layout::new(target.path("image"))?;
    let said = json!({"Env": ["A=1"], "Cmd": ["/bin/cat", "/mark"]});
    let layer = [(Regular, "mark", "from a registry\n")];
    let image = layout.image_that_says(&said, &[&layer])?;
    let name = json!({"org.opencontainers.image.ref.name": "latest"});
    layout.index(&[target::layout::with(&image, "annotations", name)])?;
    Ok(target)
}

fn mark(target: &Target, image: &str) -> Result<String> {
    let file = target.path(&format!("images/{image}/0/mark"));
    fs::read_to_string(&file).with_context(|| file.display().to_string())
}

#[test]
fn an_image_is_fetched_by_its_name() -> Result<()> {
    let target = target()?;
    let registry = Registry::start(&target, None)?;
    registry.push(&target, "team/thing:1.0", &[])?;
    let name = format!("{}/team/thing:1.0", registry.host);
    let printed = target.run(&["rootfs", &format!("docker://{name}")])?;
    assert!(printed.contains("step11 -- run thing"), "{printed}");
    assert_eq!(mark(&target, "thing")?, "from a registry\n");
    let record = target.record("thing")?;
    assert_eq!(record["Reference"], *name);
    assert_eq!(record["Config"]["Cmd"][1], "/mark");
    assert_eq!(target.images()?, ["thing"], "nothing beside it");

    // By digest, which is the same everywhere.
    let digest = record["Digest"].as_str().context("no digest")?;
    let exact = format!("docker://{}/team/thing@{digest}", registry.host);
    target.run(&["rootfs", &exact, "--name", "exact"])?;
    assert_eq!(target.record("exact")?["Digest"], record["Digest"]);
    Ok(())
}

#[test]
fn what_cannot_be_fetched_is_explained_and_leaves_nothing() -> Result<()> {
    let target = target()?;
    let registry = Registry::start(&target, None)?;
    registry.push(&target, "thing:1.0", &[])?;
    let host = &registry.host;
    for (name, flags, words) in [
        (format!("{host}/thing:2.0"), &[][..], "skopeo list-tags"),
        (format!("{host}/other"), &[], "skopeo list-tags"),
        (format!("{host}/thing:1.0"), &["--max-size", "9"], "--max-size"),
        (format!("{host}/thing:1.0"), &["--tag", "x"], "NAME:TAG"),
        // Nobody listens at a port of one's own that is not taken.
        ("127.0.0.1:1/thing".into(), &[], "is the registry up?"),
        ("not a name".into(), &[], "not a name"),
    ] {
        let source = format!("docker://{name}");
        let said = target.fail(&[&["rootfs", &*source], flags].concat())?;
        assert!(said.contains(words), "{name}: {said}");
        assert!(target.images()?.is_empty(), "{name}");
    }
    // The control: the same name without a fault.
    target.run(&["rootfs", &format!("docker://{host}/thing:1.0")])?;
    Ok(())
}

#[test]
fn without_skopeo_it_says_what_is_missing() -> Result<()> {
    let target = target()?;
    let mut command = target.command(&["rootfs", "docker://thing"]);
    let output = witness::output(command.env("PATH", "/nowhere"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("skopeo") && said.contains("not installed"),
        "{said}"
    );
    assert!(target.images()?.is_empty());
    Ok(())
}

/// bcrypt of "secret", as htpasswd(1) writes it.
const USERS: &str =
    "me:$2b$05$FsVhjOGUgGlmDIKZGBRH3.jWuusE5lNTKsuokF61ckFMUNFK6vyFq\n";

#[test]
fn who_has_logged_in_may_fetch_what_others_may_not() -> Result<()> {
    let target = target()?;
    let registry = Registry::start(&target, Some(USERS))?;
    registry.push(&target, "thing", &["--dest-creds", "me:secret"])?;
    let source = format!("docker://{}/thing", registry.host);
    let settings = target.path("auth.json");
    let with_settings = |arguments: &[&str]| {
        let mut command = target.command(arguments);
        command.env("REGISTRY_AUTH_FILE", &settings);
        witness::output(&mut command)
    };
    let refused = with_settings(&["rootfs", &source]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let advice = format!("skopeo login {}", registry.host);
    assert!(said.contains(&advice), "{said}");

    let mut login = witness::command("skopeo");
    login
        .args(["login", "--tls-verify=false", "-u", "me", "-p", "secret"])
        .arg(&registry.host)
        .env("REGISTRY_AUTH_FILE", &settings);
    output_of(login.output()?)?;
    output_of(with_settings(&["rootfs", &source]))?;
    assert_eq!(mark(&target, "thing")?, "from a registry\n");
    Ok(())
}

#[test]
fn killed_it_leaves_no_skopeo_and_the_next_import_mends() -> Result<()> {
    let target = target()?;
    // A registry that takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let source = format!("docker://{}/thing", silent.local_addr()?);
    let mut import = target.command(&["rootfs", &source]);
    let mut import = import.stderr(Stdio::null()).spawn()?;
    let pid = i32::try_from(import.id())?;
    let (_client, _) = silent.accept()?;
    let skopeo = witness::process::children(pid);
    assert_eq!(skopeo.len(), 1);
    import.kill()?;
    import.wait()?;
    witness::eventually("skopeo ends as well", || {
        witness::process::is_gone(skopeo[0])
    });
    assert_eq!(names(&target.path("images"))?.len(), 1, "the control");
    fs::write(target.path("f.tar"), target::tar_of(&[(Regular, "f", "")])?)?;
    target.run(&["rootfs", "f.tar"])?;
    assert_eq!(target.images()?, ["f"]);
    assert!(Path::new(&target.path("images/f/f")).exists());
    Ok(())
}
