//! The words after `-o` of mount(8), as config.json has them.
//!
//! One of them may say something about the mount (`nosuid`), about the
//! filesystem (`sync`), or be the filesystem's own (`size=64m`); the last are
//! all that are not in the two tables.

use step03::tree::{self, Attributes};

/// Attributes of mount_setattr(2), from <linux/mount.h>.
const RDONLY: u64 = step03::tree::MOUNT_ATTR_RDONLY;
const NOSUID: u64 = 0x02;
const NODEV: u64 = 0x04;
const NOEXEC: u64 = 0x08;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
/// What the two above and `relatime`, 0, are values of.
const ATIME: u64 = 0x70;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

/// What a word does that is there twice: alone, and with an `r` before it for
/// all that is mounted below as well.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    On(u64),
    Off(u64),
    /// When reading a file changes its time of access.
    Atime(u64),
    /// Not then: as the kernel does it by itself, `relatime`.
    NotAtime(u64),
    /// Where mounts are passed on to: MS_SHARED and the like.
    Propagation(u64),
    Bind,
    Idmap,
}

use Meaning::{Atime, Bind, Idmap, NotAtime, Off, On, Propagation};

const TWICE: [(&str, Meaning); 24] = [
    ("atime", NotAtime(NOATIME)),
    ("bind", Bind),
    ("dev", Off(NODEV)),
    ("diratime", Off(NODIRATIME)),
    ("exec", Off(NOEXEC)),
    ("idmap", Idmap),
    ("noatime", Atime(NOATIME)),
    ("nodev", On(NODEV)),
    ("nodiratime", On(NODIRATIME)),
    ("noexec", On(NOEXEC)),
    ("norelatime", NotAtime(0)),
    ("nostrictatime", NotAtime(STRICTATIME)),
    ("nosuid", On(NOSUID)),
    ("nosymfollow", On(NOSYMFOLLOW)),
    ("private", Propagation(tree::MS_PRIVATE)),
    ("relatime", Atime(0)),
    ("ro", On(RDONLY)),
    ("rw", Off(RDONLY)),
    ("shared", Propagation(tree::MS_SHARED)),
    ("slave", Propagation(tree::MS_SLAVE)),
    ("strictatime", Atime(STRICTATIME)),
    ("suid", Off(NOSUID)),
    ("symfollow", Off(NOSYMFOLLOW)),
    ("unbindable", Propagation(tree::MS_UNBINDABLE)),
];

/// What a word does that is there once.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Once {
    /// Nothing: it is how things are anyway, or (`iversion`) each filesystem
    /// that can does so by itself.
    Nothing,
    /// fsconfig(2) takes it for every filesystem.
    Filesystem,
    Remount,
    CopyUp,
}

const ONCE: [(&str, Once); 14] = [
    ("async", Once::Filesystem),
    ("defaults", Once::Nothing),
    ("dirsync", Once::Filesystem),
    ("iversion", Once::Nothing),
    ("lazytime", Once::Filesystem),
    ("loud", Once::Nothing),
    ("mand", Once::Filesystem),
    ("noiversion", Once::Nothing),
    ("nolazytime", Once::Filesystem),
    ("nomand", Once::Filesystem),
    ("remount", Once::Remount),
    ("silent", Once::Nothing),
    ("sync", Once::Filesystem),
    ("tmpcopyup", Once::CopyUp),
];

/// Every word that is known, sorted: `features` lists them.
pub fn names() -> Vec<String> {
    let once = ONCE.iter().map(|(name, _)| (*name).to_owned());
    let twice = TWICE
        .iter()
        .flat_map(|(name, _)| [(*name).to_owned(), format!("r{name}")]);
    let mut names: Vec<String> = once.chain(twice).collect();
    names.sort();
    names
}

/// Only the mount itself, or all that is mounted below as well?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Alone,
    Whole,
}

/// What all the words of one mount say together. Of two that contradict each
/// other, the later one counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// No filesystem, but what is there already.
    pub(super) bind: Option<Reach>,
    /// Other owners than those on the disk.
    pub(super) idmap: Option<Reach>,
    /// Changes what is mounted there already.
    pub(super) remount: bool,
    /// A tmpfs that begins with what it covers.
    pub(super) copy_up: bool,
    /// Of this mount.
    pub(super) alone: Attributes,
    /// Of this one and all below.
    pub(super) whole: Attributes,
    /// Where its mounts are passed on to, one after the other.
    pub(super) propagation: Vec<(Reach, u64)>,
    /// Words for fsconfig(2) that each filesystem knows.
    pub(super) common: Vec<&'static str>,
    /// Those that only this one knows.
    pub(super) data: Vec<String>,
}

impl Options {
    /// Are mounts that are made later to go to others, or come from them?
    pub(super) fn is_passed_on(&self) -> bool {
        let ties = [tree::MS_SHARED, tree::MS_SLAVE];
        self.propagation.iter().any(|(_, kind)| ties.contains(kind))
    }

    /// Reads the words; each may be several, with commas between.
    pub(super) fn read(words: &[String]) -> Options {
        let mut options = Options::default();
        for word in words.iter().flat_map(|words| split(words)) {
            options.add(&word);
        }
        options
    }

    fn add(&mut self, word: &str) {
        if let Some((name, once)) = ONCE.iter().find(|(name, _)| *name == word)
        {
            match once {
                Once::Nothing => {}
                Once::Filesystem => self.common.push(name),
                Once::Remount => self.remount = true,
                Once::CopyUp => self.copy_up = true,
            }
            return;
        }
        match meaning(word) {
            Some((Bind, reach)) => self.bind = Some(reach),
            Some((Idmap, reach)) => self.idmap = Some(reach),
            Some((Propagation(kind), reach)) => {
                self.propagation.push((reach, kind));
            }
            Some((meaning, Reach::Alone)) => turn(&mut self.alone, meaning),
            Some((meaning, Reach::Whole)) => turn(&mut self.whole, meaning),
            None => self.data.push(word.to_owned()),
        }
    }

    /// Is it to be read-only?
    pub(super) fn is_read_only(&self) -> bool {
        self.alone.set & RDONLY != 0
    }

    /// Leaves that for later: first there is something to be made in it. Which
    /// mounts is it to be then?
    pub(super) fn put_off_read_only(&mut self) -> Option<Reach> {
        let take = |attributes: &mut Attributes| {
            let is_on = attributes.set & RDONLY != 0;
            attributes.set &= !RDONLY;
            is_on
        };
        match (take(&mut self.alone), take(&mut self.whole)) {
            (_, true) => Some(Reach::Whole),
            (true, false) => Some(Reach::Alone),
            (false, false) => None,
        }
    }
}

/// Looks for a word of the first table, and whether it has the `r`.
fn meaning(word: &str) -> Option<(Meaning, Reach)> {
    let find = |word: &str| {
        let found = TWICE.iter().find(|(name, _)| *name == word);
        found.map(|(_, meaning)| *meaning)
    };
    let alone = find(word).map(|meaning| (meaning, Reach::Alone));
    alone.or_else(|| Some((find(word.strip_prefix('r')?)?, Reach::Whole)))
}

/// mount_setattr(2): the times of access are one value of four bits, of which
/// all must be cleared for another one.
fn turn(attributes: &mut Attributes, meaning: Meaning) {
    match meaning {
        On(bit) => {
            attributes.set |= bit;
            attributes.clear &= !bit;
        }
        Off(bit) => {
            attributes.set &= !bit;
            attributes.clear |= bit;
        }
        Atime(value) => {
            attributes.set = attributes.set & !ATIME | value;
            attributes.clear |= ATIME;
        }
        NotAtime(value) => {
            if attributes.set & ATIME == value {
                attributes.set &= !ATIME;
            }
            attributes.clear |= ATIME;
        }
        Propagation(_) | Bind | Idmap => {}
    }
}

/// Commas separate, but not between quotes: `context="a:b:c:s0:c1,c2"`. The
/// quotes themselves are for this place only.
fn split(words: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut is_quoted = false;
    for letter in words.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => found.push(String::new()),
            letter => found.last_mut().map_or((), |word| word.push(letter)),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Options {
        Options::read(&[words.to_owned()])
    }

    #[test]
    fn the_later_word_counts() {
        for (words, set, clear) in [
            ("ro,nosuid", RDONLY | NOSUID, 0),
            ("ro,rw", 0, RDONLY),
            ("rw,ro", RDONLY, 0),
            ("suid", 0, NOSUID),
            ("noatime", NOATIME, ATIME),
            ("noatime,strictatime", STRICTATIME, ATIME),
            ("strictatime,relatime", 0, ATIME),
            ("noatime,atime", 0, ATIME),
            ("noatime,nostrictatime", NOATIME, ATIME),
            ("nostrictatime", 0, ATIME),
            ("defaults,silent,loud", 0, 0),
        ] {
            let alone = read(words).alone;
            assert_eq!((alone.set, alone.clear), (set, clear), "{words}");
        }
        let both = read("ro,rnoexec,rrw,rsymfollow");
        assert_eq!((both.alone.set, both.whole.set), (RDONLY, NOEXEC));
        assert_eq!(both.whole.clear, RDONLY | NOSYMFOLLOW);
    }

    #[test]
    fn what_is_in_no_table_is_the_filesystems() {
        let options = read("rbind,rslave,private,sync,ridmap,tmpcopyup");
        assert_eq!(options.bind, Some(Reach::Whole));
        assert_eq!(options.idmap, Some(Reach::Whole));
        let slave = (Reach::Whole, tree::MS_SLAVE);
        let private = (Reach::Alone, tree::MS_PRIVATE);
        assert_eq!(options.propagation, [slave, private]);
        assert_eq!(options.common, ["sync"]);
        assert!(options.copy_up && !options.remount);
        assert!(options.data.is_empty(), "control");
        let data = read("size=64k,mode=755,rsize=1,,context=\"a:c1,c2\",ro");
        let own = ["size=64k", "mode=755", "rsize=1", "context=a:c1,c2"];
        assert_eq!(data.data, own);
        assert!(data.is_read_only());
    }

    #[test]
    fn read_only_can_wait() {
        let wait = |words| {
            let mut options = read(words);
            let when = options.put_off_read_only();
            assert!(!options.is_read_only() && options.whole.set == 0);
            when
        };
        assert_eq!(wait("ro,nosuid"), Some(Reach::Alone));
        assert_eq!(wait("ro,rro"), Some(Reach::Whole));
        assert_eq!(wait("rw"), None);
    }

    #[test]
    fn the_names_are_those_of_the_specification() {
        let names = names();
        assert!(names.is_sorted());
        assert_eq!(names.len(), 62);
        for name in ["rro", "rsymfollow", "runbindable", "remount", "ridmap"] {
            assert!(names.iter().any(|it| it == name), "{name}");
        }
        assert!(!names.iter().any(|name| name == "rremount"), "control");
    }
}
