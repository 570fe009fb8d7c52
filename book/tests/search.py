"""The search box, as a reader uses it: a word is typed, and what is listed is
read. The words of the glossary are taken from its page: right is the entry, or
a page to which the entry leads. The others are what learners have looked for.
"""

PAGE = "index.html"
INDEX = "searchindex-*.js"
# The first right page is among so many.
NEAR = 3

# Words that are no entry of the glossary or say it otherwise, and the pages that are right.
WORDS = {
    "hostname": "steps/step01.html", "UTS": "steps/step01.html", "ps": "steps/step02.html",
    "pivot_root": "steps/step03.html", "chroot": "steps/step03.html", "bind mount": "steps/step03.html",
    "volume": "steps/step03.html", "image": "beyond/images.html steps/step04.html",
    "registry": "beyond/images.html", "digest": "beyond/images.html",
    "overlay": "steps/step04.html", "overlayfs": "steps/step04.html", "whiteout": "steps/step04.html",
    "veth": "steps/step05.html", "NAT": "steps/step05.html", "publish": "steps/step05.html",
    "DNS": "steps/step05.html", "ipv6": "steps/step05.html",
    "rootless": "steps/step06.html", "subuid": "steps/step06.html",
    "cgroup": "steps/step07.html", "memory": "steps/step07.html", "swap": "steps/step07.html",
    "cpu.max": "steps/step07.html", "fork bomb": "steps/step07.html", "OOMKilled": "steps/step07.html beyond/names.html",
    "137": "steps/step07.html steps/step02.html",
    "seccomp": "steps/step08.html", "io_uring": "steps/step08.html",
    "time namespace": "steps/step09.html",
    "CAP_NET_ADMIN": "steps/step10.html", "capabilities": "steps/step10.html", "no_new_privs": "steps/step10.html",
    "privileged": "steps/step10.html beyond/names.html",
    "exec": "steps/step11.html steps/step00.html steps/step02.html", "setns": "steps/step11.html", "nsenter": "steps/step11.html",
    "docker exec": "steps/step11.html", "namespace": "start/what-a-container-is.html",
    "zombie": "steps/step02.html steps/step00.html", "SIGTERM": "steps/step02.html steps/step00.html",
    "ctrl-c": "beyond/stage.html", "systemd": "steps/step07.html start/what-a-container-is.html",
    "wsl": "start/setting-up.html", "vagrant": "start/setting-up.html", "macOS": "start/not-a-vm.html",
    "windows containers": "start/not-a-vm.html", "kata": "start/not-a-vm.html beyond/vm-containers.html",
    "gvisor": "start/not-a-vm.html beyond/vm-containers.html",
    "Docker Desktop": "start/not-a-vm.html", "hypervisor": "start/not-a-vm.html",
    "dirty pipe": "beyond/escapes.html", "escape": "beyond/escapes.html", "docker socket": "steps/step05.html",
    "AppArmor": "beyond/mandatory-access.html", "SELinux": "beyond/mandatory-access.html",
    "pod": "beyond/pods.html", "kubernetes": "beyond/names.html beyond/pods.html", "podman": "beyond/names.html",
    "runc": "beyond/names.html beyond/escapes.html beyond/layers.html", "json": "beyond/json.html", "tar": "beyond/archives.html",
}

ENTRIES = """() => [...document.querySelectorAll('main h3')].map((it) => {
    const links = [];
    for (let next = it.nextElementSibling; next && !/^H/.test(next.tagName); next = next.nextElementSibling) {
        links.push(...[...next.querySelectorAll('a')].map((a) => a.href));
    }
    const pages = links.filter((it) => it.startsWith('file:')).map((it) => it.split('#')[0]);
    return [it.textContent, [location.href.split('#')[0] + '#' + it.id, ...pages]];
})"""

LISTED = "[...document.querySelectorAll('#mdbook-searchresults > li > a')].map((it) => it.href)"


def address(link):
    """Without the words that are to be marked on the page."""
    page, _, rest = link.partition("?")
    return page + ("#" + rest.split("#", 1)[1] if "#" in rest else "")


def listed(page, word):
    page.fill("#mdbook-searchbar", word)
    page.press("#mdbook-searchbar", "Shift")
    header = page.inner_text("#mdbook-searchresults-header")
    assert f"'{word}'" in header, f"it says {header!r} of {word!r}"
    return [address(link) for link in page.evaluate(LISTED)]


def begin(page):
    page.click("#mdbook-search-toggle")
    # The index is a script that is loaded now.
    page.wait_for_function("document.querySelector('#mdbook-searchbar') === document.activeElement "
                           "&& document.querySelector('#mdbook-search-index') && window.search.index")


def rank(links, right):
    """Of the first right page, from 1; 0 if there is none."""
    good = [at for at, link in enumerate(links, 1) if link in right or link.split("#")[0] in right]
    return good[0] if good else 0


def base(page):
    return page.evaluate("location.href.split('?')[0].split('#')[0].replace(/[^/]*$/, '')")


def entries(page):
    """The words of the glossary, and what is right for each."""
    page.goto(base(page) + "beyond/glossary.html")
    return dict(page.evaluate(ENTRIES))


def learners(page):
    """The words of learners, and what is right for each."""
    return {word: [base(page) + it for it in right.split()] for word, right in WORDS.items()}


def ranks(page, words):
    """Of every word, with what is listed."""
    root = base(page).removesuffix("beyond/")
    page.goto(root + PAGE)
    begin(page)
    for word, right in words.items():
        links = listed(page, word)
        yield word, rank(links, right), [link.removeprefix(root) for link in links]


def finds_words(page):
    wanted = learners(page)
    for word, right in entries(page).items():
        wanted[word] = wanted.get(word, []) + right
    found = list(ranks(page, wanted))
    assert len(found) > 83, f"{len(found)} words were looked for"
    far = [(word, at, links[:NEAR]) for word, at, links in found if not 1 <= at <= NEAR]
    assert not far, f"{len(far)} of {len(found)} words are not found: {far}"


def finds_the_entry(page):
    # The word itself, and not the letter under which it stands.
    letters = [(word, links[0]) for word, _, links in ranks(page, entries(page))
               if links and "glossary.html#" in links[0] and len(links[0].split("#")[1]) == 1]
    assert not letters, f"letters: {letters}"


def keeps_the_solutions_back(page):
    teachers = [(word, link) for word, _, links in ranks(page, learners(page)) for link in links
                if link.startswith(("classroom/step", "classroom/instructors"))]
    assert not teachers, f"pages for whoever teaches: {teachers[:3]}"


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    finds_words: (INDEX, '"title":{"boost":6}', '"title":{"boost":0}'),
    finds_the_entry: (INDEX, "beyond/glossary.html#whiteout", "beyond/glossary.html#w"),
    keeps_the_solutions_back: (INDEX, "steps/step03.html#see-it", "classroom/step03.html#see-it"),
}
