//! Archives and layouts, honest, mutated and nonsense.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::random::{Random, seeds};
use super::run::{Tally, Victim, run};
use super::target::Target;

#[test]
fn no_archive_breaks_an_import() -> Result<()> {
    let target = Target::new()?;
    let victim = Victim::new(target.path("outside"))?;
    let mut tally = Tally::default();
    for seed in seeds(200) {
        let status = once(&target, &victim, seed)
            .with_context(|| format!("seed {seed}"))?;
        tally.note(status);
    }
    tally.print("archives");
    // The control: some are good, and some are not.
    let is_long = tally.of(0) + tally.of(1) > 20;
    assert!(!is_long || (tally.of(0) > 0 && tally.of(1) > 0));
    Ok(())
}

fn once(target: &Target, victim: &Victim, seed: u64) -> Result<i32> {
    let mut random = Random::new(seed);
    let outside = victim.path.display().to_string();
    let source = target.path("source");
    fs::remove_dir_all(&source).ok();
    fs::remove_file(&source).ok();
    match random.percent(25) {
        true => layout(&mut random, &source, &outside)?,
        false => fs::write(&source, archive(&mut random, &outside))?,
    }
    let name = random.one(&["one", "two"]);
    let before = target.images()?;
    let words = ["rootfs", "source", "--force", "--name", name];
    let limits = ["--max-size", "64M"];
    let mut command = target.command(&[&words[..], &limits].concat());
    let ended = run(&mut command)?;
    let words = ended.words;
    ensure!(ended.status < 2, "status {}: {words}", ended.status);
    let after = target.images()?;
    let left = after.iter().find(|name| name.contains(".new-"));
    ensure!(left.is_none(), "{left:?} is left: {words}");
    ensure!(ended.status == 0 || before == after, "it left an image");
    ensure!(ended.status == 0 || !words.is_empty(), "it says nothing");
    victim.check()?;
    if seed % 50 == 0 {
        target.run(&["clean"])?;
        ensure!(target.images()?.is_empty(), "something cannot be removed");
        victim.check()?;
    }
    Ok(ended.status)
}

/// Bytes that are an archive, more or less.
fn archive(random: &mut Random, outside: &str) -> Vec<u8> {
    let is_honest = random.percent(60);
    let mut tar = entries(random, outside, is_honest);
    if !is_honest {
        for _ in 0..1 + random.below(4) {
            mutate(random, &mut tar);
        }
    }
    pack(random, tar)
}

/// The first twenty are honest.
const NAMES: [&str; 30] = [
    "a",
    "b",
    "c",
    "d/b",
    "d/e/c",
    "./a",
    "dir/",
    "etc/passwd",
    ".wh.a",
    ".wh..wh..opq",
    "a\u{1b}b",
    "ü",
    "h",
    "proc",
    "dev/null",
    "f",
    "g/h",
    "x/",
    "y",
    "blobs",
    "s/pwn",
    "s/victim",
    "s/sub/second",
    "oci-layout",
    "manifest.json",
    ".wh..",
    "",
    ".",
    "../pwn",
    "a/../../pwn",
];
const LINKS: [&str; 14] = [
    "OUTSIDE",
    "OUTSIDE/victim",
    "..",
    "../../../../../..OUTSIDE",
    "/",
    "/etc",
    "a",
    "b",
    ".",
    "s",
    "/proc/self/rootOUTSIDE",
    "/proc/self/cwd",
    "h",
    "\u{1b}[31m",
];
const LETTERS: &[u8] = b"00000\x0011222555346 7SZgxLKVMDN\xff";
const HONEST: &[u8] = b"000000\x0022355567";

/// With honest ones much is unpacked before something is refused: their links
/// lead outside all the same.
fn entries(random: &mut Random, outside: &str, is_honest: bool) -> Vec<u8> {
    let letters = if is_honest { HONEST } else { LETTERS };
    let names = if is_honest { &NAMES[..20] } else { &NAMES };

    let mut tar = Vec::new();
    if random.percent(50) {
        let link = random.one(&LINKS).replace("OUTSIDE", outside);
        add(&mut tar, random, b'2', "s", &link, b"");
    }
    for _ in 0..1 + random.below(8) {
        let letter = letters[random.below(letters.len())];
        let mut name = random.one(names).to_owned();
        if random.percent(5) {
            name = format!("{outside}/pwn");
        }
        let link = random.one(&LINKS).replace("OUTSIDE", outside);
        let contents = match letter {
            b'x' | b'g' => records(random, outside),
            b'0' | b'\0' | b'7' | b'L' | b'K' | b'S' | b'D' => {
                let count = [0, 1, 511, 512, 513, 5000][random.below(6)];
                random.bytes(count)
            }
            _ => Vec::new(),
        };
        add(&mut tar, random, letter, &name, &link, &contents);
    }
    let zeros = [1024, 512, 0, 10_240][random.below(4)];
    tar.resize(tar.len() + zeros, 0);
    tar
}

/// Records of POSIX, right and wrong.
fn records(random: &mut Random, outside: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..1 + random.below(4) {
        let record = random.one(&[
            "path=a/b",
            "path=../../x",
            "path=OUTSIDE/pwn",
            "size=0",
            "size=-1",
            "size=99999999999999999999",
            "linkpath=OUTSIDE/victim",
            "mtime=nan",
            "mtime=-1.5",
            "mtime=1e400",
            "uid=4294967295",
            "gid=-1",
            "SCHILY.xattr.user.x=y",
            "SCHILY.xattr.trusted.x=y",
            "SCHILY.xattr.security.capability=z",
            "GNU.sparse.major=1",
            "GNU.sparse.minor=0",
            "GNU.sparse.realsize=100000",
            "GNU.sparse.name=OUTSIDE/pwn",
            "GNU.sparse.size=4096",
            "GNU.sparse.map=0,512,1024,512",
            "GNU.sparse.numblocks=1",
            "GNU.sparse.offset=0",
            "GNU.sparse.numbytes=512",
            "comment=",
            "path=",
            "=",
            "SCHILY.realsize=5",
        ]);
        let record = record.replace("OUTSIDE", outside);
        let length = record.len() + 2;
        let digits = (length + length.to_string().len()).to_string().len();
        let length = match random.percent(95) {
            true => length + digits,
            false => random.below(100_000),
        };
        all.extend(format!("{length} {record}\n").into_bytes());
    }
    all
}

fn add(
    tar: &mut Vec<u8>,
    random: &mut Random,
    letter: u8,
    name: &str,
    link: &str,
    contents: &[u8],
) {
    let mut header = [0; 512];
    let mut put = |at: usize, length: usize, text: &[u8]| {
        let count = text.len().min(length);
        header[at..at + count].copy_from_slice(&text[..count]);
    };
    put(0, 100, name.as_bytes());
    let modes: [&[u8]; 4] = [b"0000755", b"0000644", b"0000000", b"0007777"];
    put(100, 8, random.one(&modes));
    put(108, 8, b"0000000");
    put(116, 8, b"0001750");
    put(124, 12, format!("{:011o}", contents.len()).as_bytes());
    put(136, 12, b"14524770400");
    put(156, 1, &[letter]);
    put(157, 100, link.as_bytes());
    put(257, 8, random.one(&[b"ustar\x0000", b"ustar  \0", &[0; 8]]));
    fix(&mut header);
    tar.extend(header);
    tar.extend(contents);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// Makes the checksum of a header right.
fn fix(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn mutate(random: &mut Random, tar: &mut Vec<u8>) {
    if tar.is_empty() {
        return;
    }
    let at = random.below(tar.len());
    let block = 512 * random.below((tar.len() / 512).max(1));
    let end = (block + 512).min(tar.len());
    match random.below(7) {
        0 => tar[at] ^= 1 << random.below(8),
        1 => tar.truncate(at),
        2 => drop(tar.drain(block..end)),
        3 => {
            let copy = tar[block..end].to_vec();
            tar.splice(block..block, copy);
        }
        4 => {
            let count = [1, 511, 512, 1024][random.below(4)];
            let more = random.bytes(count);
            tar.extend(more);
        }
        5 => {
            let count = random.below(600);
            let garbage = random.bytes(count);
            tar.splice(0..0, garbage);
        }
        _ if end - block == 512 => field(random, &mut tar[block..end]),
        _ => {}
    }
}

/// Puts nonsense into one field, and makes the checksum right.
fn field(random: &mut Random, header: &mut [u8]) {
    let fields = [
        (0, 100),
        (100, 8),
        (108, 8),
        (116, 8),
        (124, 12),
        (136, 12),
        (156, 1),
        (157, 100),
        (257, 8),
        (345, 155),
        (386, 24),
        (482, 1),
        (483, 12),
    ];
    let (at, length) = fields[random.below(fields.len())];
    let value = match random.below(6) {
        0 => vec![0; length],
        1 => vec![b'7'; length],
        2 => vec![0xff; length],
        3 => [&[0x80][..], &vec![0x7f; length - 1]].concat(),
        4 => [&vec![b'0'; length - 1][..], &[0]].concat(),
        _ => random.bytes(length),
    };
    header[at..at + length].copy_from_slice(&value);
    fix(header);
}

fn pack(random: &mut Random, tar: Vec<u8>) -> Vec<u8> {
    let gzip = |tar: &[u8]| -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(tar).expect("memory");
        packed.finish().expect("memory")
    };
    let mut packed = match random.below(10) {
        0 => gzip(&tar),
        1 => [gzip(&tar), vec![0; 700]].concat(),
        2 => [gzip(&tar), gzip(b"more")].concat(),
        _ => return tar,
    };
    if random.percent(40) {
        mutate(random, &mut packed);
    }
    packed
}

/// An image layout, more or less.
fn layout(random: &mut Random, path: &Path, outside: &str) -> Result<()> {
    fs::create_dir_all(path.join("blobs/sha256"))?;
    let blob = |bytes: &[u8], kind: &str| -> Result<Value> {
        let hex = Sha256::digest(bytes);
        let hex: String = hex.iter().map(|b| format!("{b:02x}")).collect();
        fs::write(path.join("blobs/sha256").join(&hex), bytes)?;
        let digest = format!("sha256:{hex}");
        Ok(json!({"digest": digest, "size": bytes.len(), "mediaType": kind}))
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        _ => "386",
    };
    let arch = random.one(&[arch, arch, arch, "mips", ""]);
    let config = json!({"architecture": arch, "os": "linux"}).to_string();
    let config = blob(config.as_bytes(), "config")?;
    let mut layers = Vec::new();
    for _ in 0..random.below(4) {
        layers.push(blob(&archive(random, outside), "layer")?);
    }
    let manifest = json!({"config": config, "layers": layers}).to_string();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut index = blob(manifest.as_bytes(), kind)?;
    index = json!({"manifests": vec![index; 1 + random.below(2)]});
    for _ in 0..random.below(6) {
        let kind = "application/vnd.oci.image.index.v1+json";
        let inner = blob(index.to_string().as_bytes(), kind)?;
        index = json!({"manifests": [inner]});
    }
    let mut index = index.to_string().into_bytes();
    match random.below(12) {
        0 => mutate(random, &mut index),
        1 => index = vec![b'['; 100_000],
        2 => {
            let digest = format!("sha256:../../../../..{outside}/victim");
            let inner = json!({"digest": digest, "size": 10});
            index = json!({"manifests": [inner]}).to_string().into_bytes();
        }
        3 => index = vec![b' '; 5 << 20],
        _ => {}
    }
    spoil(random, path, outside)?;
    fs::write(path.join("oci-layout"), "{}")?;
    fs::write(path.join("index.json"), index)?;
    if random.percent(5) {
        fs::remove_file(path.join("index.json"))?;
        let fifo = path.join("index.json");
        ensure!(Command::new("mkfifo").arg(fifo).status()?.success());
    }
    Ok(())
}

/// Makes one blob of a layout something else, now and then.
fn spoil(random: &mut Random, path: &Path, outside: &str) -> Result<()> {
    let folder = path.join("blobs/sha256");
    let names = super::target::names(&folder)?;
    if names.is_empty() || random.percent(85) {
        return Ok(());
    }
    let file = folder.join(&names[random.below(names.len())]);
    fs::remove_file(&file)?;
    match random.below(4) {
        0 => fs::write(file, "x")?,
        1 => {
            let victim = format!("{outside}/victim");
            std::os::unix::fs::symlink(victim, file)?;
        }
        2 => fs::create_dir(file)?,
        _ => {}
    }
    Ok(())
}
