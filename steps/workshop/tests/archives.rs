//! Every kind of entry that tar writes. What is right is what GNU tar makes of
//! the same archive, in the same test; where the companion refuses instead,
//! the reason is looked for. The table is book/src/beyond/archives.md: each of
//! its rows names a test of this file.

mod target;

use std::ffi::CString;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::unistd::geteuid;
use tar::{Builder, EntryType, Header};
use target::{Target, mode, output_of};

/// Runs a script in the target folder, with a tree `tree` to pack.
fn shell(target: &Target, script: &str) -> Result<String> {
    let mut shell = Command::new("bash");
    shell.args(["-ec", script]).current_dir(&target.0);
    output_of(shell.env("LC_ALL", "C").env("TZ", "UTC").output()?)
}

/// What is in a tree, all that find(1) knows of it, and sums of the contents.
/// Not of the top: an image is the importer's own.
fn listing(root: &Path) -> Result<String> {
    let script = "find . -mindepth 1 ! -type b ! -type c \\
           -printf '%P %y %m %U:%G %T@ %n %l ' \\( -type f -printf '%s' , \\
           -printf '\\n' \\) | sort; \\
         find . -type f -print0 | sort -z | xargs -0r sha256sum";
    let mut bash = Command::new("bash");
    bash.args(["-ec", script]).current_dir(root);
    let output = bash.env("LC_ALL", "C").output()?;
    ensure!(output.status.success(), "find or sha256sum failed");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// GNU tar unpacks `image.tar` to `right`; true when it was content.
fn unpack_with_tar(target: &Target) -> Result<bool> {
    fs::remove_dir_all(target.path("right")).ok();
    fs::create_dir(target.path("right"))?;
    let mut tar = Command::new("tar");
    tar.args(["-xpf", "image.tar", "-C", "right", "--numeric-owner"]);
    tar.args(["--xattrs", "--xattrs-include=*"]);
    let output = tar.current_dir(&target.0).output()?;
    Ok(output.status.success())
}

/// Both unpack `image.tar`, to the same.
fn same(target: &Target, what: &str) -> Result<()> {
    ensure!(unpack_with_tar(target)?, "{what}: GNU tar did not like it");
    target.run(&["rootfs", "image.tar", "--force"])?;
    let ours = listing(&target.path("images/image"))?;
    let right = listing(&target.path("right"))?;
    let lines = ours.lines().zip(right.lines());
    let other: Vec<_> = lines.filter(|(ours, right)| ours != right).collect();
    assert!(other.is_empty(), "{what}: ours, right: {other:#?}");
    assert_eq!(ours.len(), right.len(), "{what}");
    Ok(())
}

/// The companion refuses `image.tar` with these words, and leaves nothing.
fn refused(target: &Target, words: &str) -> Result<()> {
    let said = target.fail(&["rootfs", "image.tar"])?;
    assert!(said.contains(words), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(target.images()?, [""; 0]);
    Ok(())
}

fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("no {program} here: its archives are left out");
    }
    found
}

/// A tree with one of each, names of all lengths, and odd modes and times.
const TREE: &str = r#"
    umask 022; mkdir -p tree/d/e tree/locked; cd tree
    echo hello >d/file; ln d/file d/again; ln -s d/file link; ln -s / root
    ln -s "$(printf 'l%.0s' {1..150})" long-link; mkfifo fifo; : >empty
    mkdir -p "$(printf 'd%.0s' {1..90})/$(printf 'e%.0s' {1..90})"
    echo a >"$(printf 'n%.0s' {1..150})"
    echo b >"$(printf 'd%.0s' {1..90})/$(printf 'e%.0s' {1..90})/f"
    echo ü >"$(printf 'not-utf-8-\377')"; echo c >'new
line'; echo d >' blanks '
    chmod 4755 d/file; chmod 3777 d; chmod 555 locked
    # Whoever is not root has to read it again.
    if [ "$(id -u)" = 0 ]; then chmod 0 empty; else chmod 400 empty; fi
    touch -d @1000000000.123456789 d/file; touch -h -d @99 link
    touch -d @5 d d/e; chmod 640 fifo; touch -d @7 fifo
"#;

#[test]
fn every_format_of_gnu_tar() -> Result<()> {
    let target = Target::new()?;
    shell(&target, TREE)?;
    for format in ["gnu", "oldgnu", "posix", "ustar", "v7"] {
        // The two old formats cannot hold all of it: tar leaves that out.
        let script = format!(
            "tar --format={format} -C tree -cf image.tar . || test $? = 2"
        );
        shell(&target, &script)?;
        same(&target, format)?;
    }
    Ok(())
}

#[test]
fn every_format_of_bsdtar() -> Result<()> {
    if !has("bsdtar") {
        return Ok(());
    }
    let target = Target::new()?;
    shell(&target, TREE)?;
    for format in ["pax", "restricted", "ustar", "gnutar", "v7"] {
        let script = format!(
            "bsdtar --format={format} --exclude='ddd*' -C tree \
             -cf image.tar . || true"
        );
        shell(&target, &script)?;
        same(&target, format)?;
    }
    // What is no tar is said to be none.
    shell(&target, "bsdtar --format=newc -C tree -cf image.tar .")?;
    target.run(&["clean"])?;
    refused(&target, "it is no tar archive")
}

#[test]
fn a_folder_with_the_names_in_it() -> Result<()> {
    // GNU's `D` (incremental) and `V` (the volume's name).
    let target = Target::new()?;
    shell(&target, TREE)?;
    for options in ["-g snapshot --format=gnu", "-V volume --format=gnu"] {
        let script = format!("tar {options} -C tree -cf image.tar .");
        shell(&target, &script)?;
        same(&target, options)?;
    }
    Ok(())
}

#[test]
fn part_of_a_file_on_several_volumes_is_refused() -> Result<()> {
    let target = Target::new()?;
    let script = "mkdir tree; head -c 60000 /dev/urandom >tree/f; \\
         tar -M -L 20 --format=gnu -C tree -cf one -f two -f three -f four .";
    shell(&target, script)?;
    fs::rename(target.path("two"), target.path("image.tar"))?;
    refused(&target, "another volume")?;
    fs::rename(target.path("one"), target.path("image.tar"))?;
    refused(&target, "cut short")
}

/// A file with data in the middle, at the end, and nothing at all.
const SPARSE: &str = r#"
    mkdir -p tree; cd tree
    truncate -s 300K lastlog
    printf END | dd of=lastlog bs=1 seek=150000 conv=notrunc status=none
    truncate -s 5M hole; : >empty; echo whole >whole
    for ((i = 0; i < 40; i++)); do
      printf "piece $i" | dd of=many bs=1 seek=$((i * 100000)) conv=notrunc \
        status=none
    done
"#;

#[test]
fn sparse_files_of_all_four_forms() -> Result<()> {
    let target = Target::new()?;
    shell(&target, SPARSE)?;
    for options in [
        "--format=gnu",
        "--format=oldgnu",
        "--format=posix --sparse-version=0.0",
        "--format=posix --sparse-version=0.1",
        "--format=posix --sparse-version=1.0",
    ] {
        let script = format!("tar -S {options} -C tree -cf image.tar .");
        shell(&target, &script)?;
        same(&target, options)?;
        let image = target.path("images/image");
        let (hole, many) = (image.join("hole"), image.join("many"));
        assert!(hole.metadata()?.blocks() < 100, "{options}");
        // The control: it is the holes that take no room.
        assert!(many.metadata()?.blocks() >= 40 * 8, "{options}");
    }
    if has("bsdtar") {
        shell(&target, "bsdtar --format=pax -C tree -cf image.tar .")?;
        same(&target, "bsdtar")?;
    }
    Ok(())
}

#[test]
fn a_sparse_map_that_lies_is_refused() -> Result<()> {
    for (records, words) in [
        ("GNU.sparse.major=2 GNU.sparse.minor=0", "sparse format 2.0"),
        ("GNU.sparse.size=10 GNU.sparse.map=0,4,2,4", "overlap"),
        ("GNU.sparse.size=10 GNU.sparse.map=8,8", "beyond the end"),
        ("GNU.sparse.size=10 GNU.sparse.map=0,4", "in the archive"),
        ("GNU.sparse.size=10 GNU.sparse.map=0,x", "no number"),
        ("GNU.sparse.size=10 GNU.sparse.map=0", "half a piece"),
        ("GNU.sparse.map=0,8", "without a size"),
        ("SCHILY.realsize=100", "without a size"),
        ("GNU.sparse.size=9 GNU.sparse.numbytes=8", "out of order"),
    ] {
        let target = Target::new()?;
        let text = b"contents".as_slice();
        write(&target, &[with(records, b'0', "file", "", text)])?;
        refused(&target, words)?;
    }
    Ok(())
}

/// An entry, byte by byte, with POSIX records in front of it.
fn with(
    records: &str,
    letter: u8,
    name: &str,
    link: &str,
    contents: &[u8],
) -> Vec<u8> {
    let mut all = Vec::new();
    let mut header = Header::new_ustar();
    let mut text = Vec::new();
    for record in records.split(' ').filter(|record| !record.is_empty()) {
        let length = record.len() + 2;
        let digits = (length + 1).to_string().len();
        let digits = (length + digits).to_string().len();
        text.extend(format!("{} {record}\n", length + digits).bytes());
    }
    let mut add = |letter, name: &str, link: &str, contents: &[u8]| {
        header.set_entry_type(EntryType::new(letter));
        let old = header.as_old_mut();
        (old.name, old.linkname) = ([0; 100], [0; 100]);
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        // A folder that its owner cannot enter is for root alone to fill.
        header.set_mode(if letter == b'5' { 0o755 } else { 0o644 });
        header.set_uid(geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_mtime(1_000_000);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        all.extend(header.as_bytes());
        all.extend(contents);
        all.resize(all.len().next_multiple_of(512), 0);
    };
    if !text.is_empty() {
        add(b'x', "records", "", &text);
    }
    add(letter, name, link, contents);
    all
}

fn write(target: &Target, entries: &[Vec<u8>]) -> Result<()> {
    let tar = [&entries.concat()[..], &[0; 1024]].concat();
    Ok(fs::write(target.path("image.tar"), tar)?)
}

#[test]
fn rare_letters() -> Result<()> {
    let target = Target::new()?;
    for (letter, name) in [
        (b'\0', "file"),
        (b'7', "contiguous"),
        (b'\0', "folder/"),
        (b'0', "folder/"),
        (b'7', "folder/"),
        (b'6', "fifo"),
        (b'5', "folder"),
    ] {
        write(&target, &[with("", letter, name, "", b"")])?;
        same(&target, &format!("{:?} {name}", char::from(letter)))?;
    }
    // Solaris has a letter of its own for POSIX's records.
    let mut solaris = with("path=better", b'0', "worse", "", b"hi");
    solaris[156] = b'X';
    fix(&mut solaris[..512]);
    write(&target, &[solaris])?;
    same(&target, "X")?;
    target.run(&["clean"])?;
    // GNU tar makes files of these, and warns; we cannot know what they are.
    for letter in [b'Z', b'A', b'N', b'I', b'8', 0xff] {
        write(&target, &[with("", letter, "file", "", b"hi")])?;
        refused(&target, "is not known here")?;
    }
    Ok(())
}

/// Makes the checksum right.
fn fix(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn records_of_posix() -> Result<()> {
    let target = Target::new()?;
    let long = "n".repeat(200);
    let records = format!("path=d/{long} mtime=12.25 comment=no");
    let file = with(&records, b'0', "short", "", b"hi");
    let link = with("linkpath=d/e/f", b'2', "link", "short", b"");
    let size = with("size=5", b'0', "size", "", b"12345");
    // A header for all that follows, and one entry that takes it back.
    let mut global = with("mtime=77", b'0', "all", "", b"");
    global[156] = b'g';
    fix(&mut global[..512]);
    let back = with("mtime=88", b'0', "own", "", b"");
    let d = with("", b'5', "d", "", b"");
    write(&target, &[d, file, link, size, global, back])?;
    same(&target, "records")?;
    target.run(&["clean"])?;
    for (records, words) in [
        ("mtime=nan", "mtime"),
        ("mtime=1e400", "mtime"),
        ("size=-1", "size"),
        ("size=99999999999999999999", "size"),
        ("uid=root", "uid"),
        ("path=a\0b", "zero byte"),
    ] {
        write(&target, &[with(records, b'0', "file", "", b"")])?;
        refused(&target, words)?;
        // The control: GNU tar complains as well, but for these two.
        let is_odd = records.contains('\0') || records.contains("1e400");
        assert!(is_odd || !unpack_with_tar(&target)?, "{records:?}");
    }
    Ok(())
}

#[test]
fn a_hard_link_may_have_contents_or_only_their_size() -> Result<()> {
    let target = Target::new()?;
    let file = || with("", b'0', "file", "", b"hello");
    let mut link = with("", b'1', "link", "file", b"");
    link[124..136].copy_from_slice(b"00000000005\0");
    fix(&mut link[..512]);
    let last = || with("", b'0', "last", "", b"end");
    // The size alone, as old programs wrote it and GNU tar reads it.
    write(&target, &[file(), link.clone(), last()])?;
    same(&target, "a size")?;
    // With the contents, as pax(1) writes it: what follows comes, too.
    let mut contents = b"hello".to_vec();
    contents.resize(512, 0);
    write(&target, &[file(), link, contents, last()])?;
    target.run(&["rootfs", "image.tar", "--force"])?;
    let image = target.path("images/image");
    assert_eq!(fs::read_to_string(image.join("last"))?, "end");
    assert_eq!(image.join("link").metadata()?.nlink(), 2);
    Ok(())
}

#[test]
fn what_is_no_file_has_no_contents() -> Result<()> {
    // A folder's size is a hint, that of a link or a fifo means nothing.
    let target = Target::new()?;
    for letter in [b'2', b'5', b'6'] {
        let mut entry = with("", letter, "it", "to", b"");
        entry[124..136].copy_from_slice(b"00000001000\0");
        fix(&mut entry[..512]);
        write(&target, &[entry, with("", b'0', "last", "", b"end")])?;
        target.run(&["rootfs", "image.tar", "--force"])?;
        let last = target.path("images/image/last");
        assert_eq!(fs::read_to_string(last)?, "end");
    }
    Ok(())
}

#[test]
fn later_entries_win_over_earlier_ones() -> Result<()> {
    let target = Target::new()?;
    let entry = |letter: u8| {
        let link = if letter == b'1' { "other" } else { "away" };
        let contents: &[u8] = if letter == b'0' { b"contents" } else { b"" };
        with("", letter, "it", link, contents)
    };
    let other = || with("", b'0', "other", "", b"other");
    let letters = [b'0', b'1', b'2', b'5', b'6'];
    for first in letters {
        for second in letters {
            let what = [char::from(first), char::from(second)];
            write(&target, &[other(), entry(first), entry(second)])?;
            same(&target, &format!("{what:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn a_full_folder_is_not_replaced() -> Result<()> {
    let target = Target::new()?;
    for letter in [b'0', b'1', b'2', b'6'] {
        let other = with("", b'0', "other", "", b"");
        let inner = with("", b'0', "it/file", "", b"");
        write(&target, &[other, inner, with("", letter, "it", "other", b"")])?;
        refused(&target, "replace an earlier entry")?;
        assert!(!unpack_with_tar(&target)?, "GNU tar refuses it as well");
    }
    // The control: what is in a folder stays when it comes again.
    let inner = with("", b'0', "it/file", "", b"");
    write(&target, &[inner, with("", b'5', "it", "", b"")])?;
    same(&target, "a folder again")
}

#[test]
fn a_mode_goes_to_its_own_folder_alone() -> Result<()> {
    let target = Target::new()?;
    let mut locked = with("", b'5', "d", "", b"");
    locked[100..108].copy_from_slice(b"0000500\0");
    fix(&mut locked[..512]);
    let etc = with("", b'5', "etc", "", b"");
    let link = with("", b'2', "d", "etc", b"");
    write(&target, &[locked, etc, link])?;
    same(&target, "a folder that became a link")?;
    // By two names, the last one counts.
    let mut again = with("", b'5', "way/sub", "", b"");
    again[100..108].copy_from_slice(b"0000700\0");
    fix(&mut again[..512]);
    let first = with("", b'5', "etc/sub", "", b"");
    let way = with("", b'2', "way", "etc", b"");
    let etc = with("", b'5', "etc", "", b"");
    write(&target, &[etc, way, first, again])?;
    assert!(unpack_with_tar(&target)?);
    target.run(&["rootfs", "image.tar", "--force"])?;
    let right = mode(&target.path("right/etc/sub"))?;
    assert_eq!(mode(&target.path("images/image/etc/sub"))?, right);
    Ok(())
}

#[test]
fn times_of_all_ages() -> Result<()> {
    let target = Target::new()?;
    // Before 1901, before 1970, after 2038, after 2242, after 2446.
    for time in [
        "-5000000000",
        "-86400.5",
        "0",
        "1.000000001",
        "4294967296",
        "8589934592",
        "9000000000",
        "20000000000",
    ] {
        // i686 has no others than those of 32 bits (step00/src/stat.rs).
        if libc::time_t::try_from(time.parse::<f64>()? as i64).is_err() {
            continue;
        }
        for format in ["posix", "gnu"] {
            let script = format!(
                "rm -rf tree; mkdir -p tree/d; echo hi >tree/d/f; \
                 ln -s f tree/d/l; tar --format={format} --mtime=@{time} \
                 -C tree -cf image.tar d"
            );
            shell(&target, &script)?;
            same(&target, &format!("{format} {time}"))?;
        }
    }
    Ok(())
}

#[test]
fn owners_are_kept_by_root() -> Result<()> {
    let target = Target::new()?;
    let script = "mkdir -p tree/d; echo hi >tree/d/su; ln -s su tree/d/l; \
         mkfifo tree/d/p; chmod 6755 tree/d/su; \
         tar --owner=a:1234 --group=b:56 -C tree -cf image.tar d";
    shell(&target, script)?;
    if geteuid().is_root() {
        same(&target, "owners")?;
        let su = target.path("images/image/d/su");
        assert_eq!((su.metadata()?.uid(), mode(&su)?), (1234, 0o6755));
        let d = target.path("images/image");
        assert_eq!(d.metadata()?.uid(), 0, "the image is the importer's");
        // As somebody else they are counted, and with them the bits that
        // would now mean another user.
        std::os::unix::fs::chown(&target.0, Some(65534), Some(65534))?;
        fs::remove_dir_all(target.path("images"))?;
    }
    let mut command = target.command(&["rootfs", "image.tar"]);
    if geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let printed = output_of(command.output()?)?;
    assert!(printed.contains("left out: 4 owners"), "{printed}");
    assert!(printed.contains("2 set-user-ID bits"), "{printed}");
    let su = target.path("images/image/d/su");
    assert_eq!(mode(&su)?, 0o755);
    // The control: root's own programs keep theirs; root inside is whoever
    // has imported them.
    let script = "tar --owner=a:0 --group=b:0 -C tree -cf image.tar d";
    shell(&target, script)?;
    let mut command = target.command(&["rootfs", "image.tar", "--force"]);
    if geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let printed = output_of(command.output()?)?;
    assert!(!printed.contains("left out"), "{printed}");
    assert_eq!(mode(&su)?, 0o6755);
    Ok(())
}

fn set_attribute(file: &Path, name: &str, value: &[u8]) -> Result<()> {
    let file = CString::new(file.as_os_str().as_bytes())?;
    let name = CString::new(name)?;
    // SAFETY: both texts end with a zero byte, and the length is the value's.
    let answer = unsafe {
        libc::setxattr(
            file.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    Errno::result(answer).context("setxattr")?;
    Ok(())
}

fn attribute(file: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let file = CString::new(file.as_os_str().as_bytes())?;
    let name = CString::new(name)?;
    let mut value = vec![0; 256];
    // SAFETY: both texts end with a zero byte, and the buffer is that long.
    let count = unsafe {
        libc::getxattr(
            file.as_ptr(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    let count = usize::try_from(count).ok();
    Ok(count.map(|count| value[..count].to_vec()))
}

/// cap_net_raw=ep, in the second version of the format (capabilities(7)).
const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[test]
fn attributes_and_capabilities() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("not root: no capability can be put on a file");
        return Ok(());
    }
    let target = Target::new()?;
    shell(&target, "mkdir -p tree/d; echo hi >tree/d/ping; echo >tree/d/no")?;
    let ping = target.path("tree/d/ping");
    if let Err(error) = set_attribute(&ping, "user.note", b"a=b\nc") {
        let errno = error.downcast_ref();
        ensure!(errno == Some(&Errno::EOPNOTSUPP), error);
        eprintln!("a tmpfs has such attributes from Linux 6.6 on only");
        return Ok(());
    }
    set_attribute(&ping, "security.capability", CAPABILITY)?;
    set_attribute(&target.path("tree/d"), "user.folder", b"1")?;
    set_attribute(&target.path("tree/d/no"), "trusted.overlay.opaque", b"y")?;
    set_attribute(&target.path("tree/d/no"), "user.overlay.opaque", b"y")?;
    for program in ["tar --xattrs --xattrs-include=* --format=posix", "bsdtar"]
    {
        if !has(program.split(' ').next().unwrap_or_default()) {
            continue;
        }
        shell(&target, &format!("{program} -C tree -cf image.tar d"))?;
        let printed = target.run(&["rootfs", "image.tar", "--force"])?;
        let d = target.path("images/image/d");
        assert!(unpack_with_tar(&target)?);
        for (file, name) in [
            ("ping", "user.note"),
            ("ping", "security.capability"),
            ("", "user.folder"),
        ] {
            let right = target.path("right/d").join(file);
            let right = attribute(&right, name)?;
            assert_eq!(attribute(&d.join(file), name)?, right, "{name}");
            assert!(right.is_some(), "the control: {name}");
        }
        // What would speak to overlayfs is left out, and counted.
        for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
            assert_eq!(attribute(&d.join("no"), name)?, None);
        }
        let words = "left out: 2 extended attributes";
        assert!(printed.contains(words), "{program}: {printed}");
    }
    // Without root a capability cannot be given.
    std::os::unix::fs::chown(&target.0, Some(65534), Some(65534))?;
    fs::remove_dir_all(target.path("images"))?;
    let mut command = target.command(&["rootfs", "image.tar"]);
    let printed = output_of(command.uid(65534).gid(65534).output()?)?;
    assert!(printed.contains("3 extended attributes"), "{printed}");
    Ok(())
}

#[test]
fn access_lists_and_labels_are_counted() -> Result<()> {
    let target = Target::new()?;
    let records = "SCHILY.acl.access=user::rw- RHT.security.selinux=a:b:c:s0";
    write(&target, &[with(records, b'0', "file", "", b"")])?;
    let printed = target.run(&["rootfs", "image.tar"])?;
    assert!(printed.contains("2 extended attributes"), "{printed}");
    Ok(())
}

#[test]
fn device_nodes_are_left_out() -> Result<()> {
    let target = Target::new()?;
    let null = with("", b'3', "null", "", b"");
    let disk = with("", b'4', "disk", "", b"");
    write(&target, &[null, disk, with("", b'0', "file", "", b"")])?;
    let printed = target.run(&["rootfs", "image.tar"])?;
    assert!(printed.contains("left out: 2 device nodes"), "{printed}");
    Ok(())
}

/// `image.tar` as `script` makes it of `plain.tar`.
fn packed(target: &Target, script: &str) -> Result<()> {
    shell(target, script)?;
    Ok(())
}

#[test]
fn what_follows_a_compressed_archive() -> Result<()> {
    let target = Target::new()?;
    shell(&target, TREE)?;
    shell(&target, "tar -C tree -cf plain.tar .; split -n 2 plain.tar part")?;
    let skipped = r"printf '\x51\x2a\x4d\x18\x04\0\0\0size'";
    for (script, is_well) in [
        ("gzip -c plain.tar", true),
        ("gzip -c plain.tar; head -c 4096 /dev/zero", true),
        ("gzip -c partaa; gzip -c partab", true),
        ("gzip -c plain.tar; gzip -c </dev/null", true),
        ("gzip -c partaa; gzip -c partab; head -c 99 /dev/zero", true),
        ("gzip -c plain.tar; echo garbage", false),
        ("gzip -c plain.tar; head -c 99 /dev/zero; echo garbage", false),
        ("xz -c plain.tar", true),
        ("xz -c partaa; xz -c partab; head -c 4096 /dev/zero", true),
        ("xz -c plain.tar; echo garbage", false),
        ("bzip2 -c plain.tar", true),
        ("bzip2 -c partaa; bzip2 -c partab", true),
        ("zstd -qc plain.tar", true),
        ("zstd -qc partaa; zstd -qc partab", true),
        (&format!("zstd -qc plain.tar; {skipped}"), true),
        ("zstd -qc plain.tar; head -c 4096 /dev/zero", false),
        ("zstd -qc plain.tar; echo garbage", false),
        ("cat plain.tar; head -c 4096 /dev/zero", true),
    ] {
        packed(&target, &format!("{{ {script}; }} >image.tar"))?;
        if is_well {
            same(&target, script).with_context(|| script.to_owned())?;
            continue;
        }
        target.run(&["clean"])?;
        target.fail(&["rootfs", "image.tar"]).context(script.to_owned())?;
        assert_eq!(target.images()?, [""; 0], "{script}");
        assert!(!unpack_with_tar(&target)?, "the control: {script}");
    }
    // GNU tar does not know these two by their first bytes.
    let right = listing(&target.path("right"))?;
    for script in [
        "xz --format=lzma -c plain.tar",
        &format!("{skipped}; zstd -qc plain.tar"),
    ] {
        packed(&target, &format!("{{ {script}; }} >image.tar"))?;
        target.run(&["rootfs", "image.tar", "--force"])?;
        assert_eq!(listing(&target.path("images/image"))?, right);
    }
    if has("bsdtar") {
        let script = "bsdtar --exclude='ddd*' -C tree -czf - . | cat";
        packed(&target, &format!("{script} >image.tar"))?;
        same(&target, "bsdtar fills up what it writes to a pipe")?;
    }
    Ok(())
}

#[test]
fn the_end_of_an_archive() -> Result<()> {
    let target = Target::new()?;
    let file = with("", b'0', "file", "", b"hi");
    // Without an end, with half of one, and with an end in mid-block.
    for end in [&[][..], &[0; 512], &[0; 1024], &[0; 10_240], &[0; 1100]] {
        let tar = [&file[..], end].concat();
        fs::write(target.path("image.tar"), tar)?;
        target.run(&["rootfs", "image.tar", "--force"])?;
        assert!(unpack_with_tar(&target)?, "{}", end.len());
    }
    target.run(&["clean"])?;
    // Something after one block of zeros: GNU tar stops there, with a warning.
    let tar = [&file[..], &[0; 512], &file[..]].concat();
    fs::write(target.path("image.tar"), tar)?;
    refused(&target, "goes on after a block of zeros")?;
    // A damaged header.
    let mut damaged = file.clone();
    damaged[0] ^= 1;
    write(&target, &[file, damaged])?;
    refused(&target, "wrong checksum")
}

#[test]
fn a_pipe_is_a_source_too() -> Result<()> {
    let target = Target::new()?;
    shell(
        &target,
        "mkdir tree; echo hi >tree/f; tar -C tree -cf image.tar .",
    )?;
    let script = "./debug/workshop rootfs <(cat image.tar) --name piped";
    shell(&target, script)?;
    assert_eq!(target.images()?, ["piped"]);
    Ok(())
}

/// Docker and Go's archive/tar write a header like this one.
#[test]
fn what_docker_writes() -> Result<()> {
    let target = Target::new()?;
    let mut tar = Builder::new(Vec::new());
    for path in ["var/", "var/lib/"] {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Directory);
        header.set_path(path)?;
        header.set_mode(0o40_755);
        header.set_uid(geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        header.set_mtime(1_700_000_000);
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &[][..])?;
    }
    let mut file = fs::File::create(target.path("image.tar"))?;
    file.write_all(&tar.into_inner()?)?;
    same(&target, "Docker")
}

#[test]
fn the_page_names_tests_that_exist() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = root.join("../../book/src/beyond/archives.md");
    let page = fs::read_to_string(page)?;
    let tests = ["tests/archives.rs", "tests/import.rs"]
        .map(|file| fs::read_to_string(root.join(file)));
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let mut count = 0;
    for row in rows.skip(1) {
        let test = row.split('|').nth(3).context("a third column")?;
        let name = test.split('`').nth(1).context("a test in it")?;
        let wanted = format!("fn {name}()");
        let mut all = tests.iter().flatten();
        assert!(all.any(|text| text.contains(&wanted)), "{name}");
        count += 1;
    }
    assert!(count > 20, "the control: {count} rows");
    Ok(())
}
