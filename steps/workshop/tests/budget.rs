//! What an image may cost. Each refusal is one line that names the flag, and
//! leaves nothing; beside it stands the control, which is allowed.

mod target;

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::EntryType::{Directory, Regular, Symlink};
use tar::{Builder, EntryType, Header};
use target::{Target, output_of, tar_of};

/// Imports `image.tar` with half a gigabyte of address space, which is what
/// shows that the memory does not grow with what the archive says.
fn import(target: &Target, flags: &[&str]) -> Result<Output> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 500000; exec \"$0\" \"$@\""]);
    shell.arg(target.binary()).args(["rootfs", "image.tar", "--force"]);
    shell.args(flags).current_dir(&target.0).env_remove("RUST_BACKTRACE");
    Ok(shell.output()?)
}

/// It is refused, with one line that names this flag.
fn refused(target: &Target, flags: &[&str], flag: &str) -> Result<()> {
    let output = import(target, flags)?;
    let words = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.contains(flag), "{words}");
    assert!(words.len() < 1000, "{words}");
    assert_eq!(target.images()?, [""; 0]);
    Ok(())
}

fn allowed(target: &Target, flags: &[&str]) -> Result<()> {
    output_of(import(target, flags)?)?;
    target.run(&["clean"])?;
    Ok(())
}

fn target_with(tar: Vec<u8>) -> Result<Target> {
    let target = Target::new()?;
    fs::write(target.path("image.tar"), tar)?;
    Ok(target)
}

/// A header that promises contents of this size, and the first of them.
fn promise(letter: u8, name: &str, size: u64, start: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::new(letter));
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    [header.as_bytes(), start].concat()
}

#[test]
fn a_long_name_is_refused_before_it_is_read() -> Result<()> {
    // Three gigabytes, as three megabytes of gzip would hold them.
    for letter in [b'L', b'K', b'x', b'g'] {
        let start = vec![b'a'; 1 << 20];
        let tar = promise(letter, "././@LongLink", 3 << 30, &start);
        let target = target_with(tar)?;
        refused(&target, &[], "--max-name")?;
        // The control: with the flag it is read, and is cut short.
        let flags = ["--max-name", "1T", "--max-size", "512K"];
        let output = import(&target, &flags)?;
        assert_eq!(output.status.code(), Some(1));
    }
    // One record in a header that is not too long as a whole.
    let record = |length: usize| {
        let text = "c".repeat(length - "65536 comment=\n".len());
        format!("{length} comment={text}\n").into_bytes()
    };
    for (length, is_well) in [(65_530, true), (70_000, false)] {
        let mut tar = Builder::new(Vec::new());
        let record = record(length);
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_size(record.len() as u64);
        header.set_cksum();
        tar.append(&header, &record[..])?;
        tar.append(&header_of("file", 0), &[][..])?;
        let target = target_with(tar.into_inner()?)?;
        match is_well {
            true => allowed(&target, &[])?,
            false => refused(&target, &[], "--max-name")?,
        }
    }
    Ok(())
}

fn header_of(name: &str, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_path(name).expect("a path");
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header
}

/// A file of `size` bytes of which the last 512 are in the archive.
fn sparse(size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(512);
    let gnu = header.as_gnu_mut().expect("it is one of GNU's");
    gnu.name[..3].copy_from_slice(b"big");
    gnu.set_real_size(size);
    let octal = |number: u64| {
        let mut field = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        field[4..].copy_from_slice(&number.to_be_bytes());
        field
    };
    gnu.sparse[0].offset = octal(size - 512);
    gnu.sparse[0].numbytes = octal(512);
    header.set_mode(0o644);
    header.set_cksum();
    [header.as_bytes(), &[b'X'; 512][..], &[0; 1024]].concat()
}

#[test]
fn holes_cost_no_disk_and_have_an_end() -> Result<()> {
    for shift in [40, 62] {
        let target = target_with(sparse(1 << shift))?;
        refused(&target, &[], "--max-size")?;
    }
    // The control: four gigabytes are allowed, and nearly nothing is written.
    let target = target_with(sparse(4 << 30))?;
    output_of(import(&target, &[])?)?;
    let big = target.path("images/image/big").metadata()?;
    assert_eq!(big.len(), 4 << 30);
    assert!(big.blocks() < 2048, "{} blocks", big.blocks());
    Ok(())
}

#[test]
fn a_sparse_map_has_an_end() -> Result<()> {
    let target = target_with(sparse(4096))?;
    refused(&target, &["--max-pieces", "0"], "--max-pieces")?;
    allowed(&target, &["--max-pieces", "1"])
}

#[test]
fn folders_in_folders_have_an_end() -> Result<()> {
    let path = "a/".repeat(1500);
    let mut tar = Builder::new(Vec::new());
    let mut header = header_of("file", 0);
    tar.append_data(&mut header, format!("{path}f"), &[][..])?;
    let target = target_with(tar.into_inner()?)?;
    refused(&target, &[], "--max-depth")?;
    output_of(import(&target, &["--max-depth", "2000"])?)?;
    // Deeper than any process has descriptors, it goes all the same.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 1024; exec \"$0\" clean"]);
    shell.arg(target.binary()).env("WORKSHOP_RUN", target.path("run"));
    output_of(shell.env("XDG_RUNTIME_DIR", target.path("own")).output()?)?;
    assert_eq!(target.images()?, [""; 0]);
    Ok(())
}

#[test]
fn links_lead_no_deeper() -> Result<()> {
    let path = |name: &str, count: usize| {
        let start = if count == 0 { String::new() } else { name.to_owned() };
        start + &"a/".repeat(45)
    };
    let mut lines = Vec::new();
    for number in 0..8 {
        let above = format!("s{}/", number.max(1) - 1);
        let deep = path(&above, number);
        lines.push((Directory, deep.clone(), String::new()));
        lines.push((Symlink, format!("s{number}"), deep));
    }
    let lines: Vec<_> = lines
        .iter()
        .map(|(kind, name, text)| (*kind, name.as_str(), text.as_str()))
        .collect();
    let target = target_with(tar_of(&lines)?)?;
    refused(&target, &[], "--max-depth")?;
    allowed(&target, &["--max-depth", "360"])
}

#[test]
fn entries_and_bytes_are_counted() -> Result<()> {
    let text = "x".repeat(100_000);
    let lines: Vec<String> = (0..20).map(|n| format!("f{n}")).collect();
    let lines: Vec<_> =
        lines.iter().map(|name| (Regular, name.as_str(), &*text)).collect();
    let target = target_with(tar_of(&lines)?)?;
    refused(&target, &["--max-entries", "19"], "--max-entries")?;
    refused(&target, &["--max-size", "1M"], "--max-size")?;
    refused(&target, &["--max-time", "0"], "--max-time")?;
    allowed(&target, &["--max-entries", "20", "--max-size", "3M"])
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_written() -> Result<()> {
    // Ten gigabytes, of which there is only the first: who says that they are
    // too many has not read up to where the rest is missing.
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&promise(b'0', "zeros", 10 << 30, &[0; 1 << 20]))?;
    let target = target_with(packed.finish()?)?;
    refused(&target, &[], "--max-size")?;
    // The control: allowed, that is the error.
    let output = import(&target, &["--max-size", "11G"])?;
    let words = String::from_utf8(output.stderr)?;
    assert!(!words.contains("--max-size"), "{words}");
    assert_eq!(output.status.code(), Some(1), "{words}");
    Ok(())
}

#[test]
fn what_a_compressed_stream_brings_is_counted_to_its_end() -> Result<()> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&tar_of(&[(Regular, "file", "fine")])?)?;
    for _ in 0..64 {
        packed.write_all(&[0; 1 << 18])?; // after the end of the archive
    }
    let target = target_with(packed.finish()?)?;
    refused(&target, &["--max-size", "8M"], "--max-size")?;
    allowed(&target, &["--max-size", "32M"])
}

#[test]
fn stdin_has_an_end() -> Result<()> {
    let target = Target::new()?;
    let mut command = target.command(&["rootfs", "-", "--max-size", "4M"]);
    let zeros = fs::File::open("/dev/zero")?;
    let output = command.stdin(Stdio::from(zeros)).output()?;
    let words = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("--max-size"), "{words}");
    assert_eq!(target.images()?, [""; 0]);
    Ok(())
}

#[test]
fn many_records_are_read_in_good_time() -> Result<()> {
    // As many as fit into a header, twice; each is one byte long. Who looked
    // through all of them for each would not come back before the limit of a
    // test program (scripts/as-root).
    let records = "6 a=b\n".repeat(170_000);
    let attributes = "24 SCHILY.xattr.user.a=\n".repeat(40_000);
    let mut tar = Builder::new(Vec::new());
    for text in [&records, &records, &attributes] {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_size(text.len() as u64);
        header.set_cksum();
        tar.append(&header, text.as_bytes())?;
    }
    tar.append(&header_of("file", 0), &[][..])?;
    let target = target_with(tar.into_inner()?)?;
    allowed(&target, &[])
}
