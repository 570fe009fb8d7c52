"""Tests of the built book, as a reader meets it: in a browser, in two themes,
on a phone's width, by keyboard, and without JavaScript.

    python book/tests/site.py target/book
    python book/tests/site.py target/book step03      only pages with this word in their names

What it needs beside book/requirements.txt is a Chromium:

    sudo apt install chromium

Every check has a control: a page made for it with that one fault, or a copy
of the book with one line spoilt. Where a check does not see it, this fails.
Exit status: 0, 1 for complaints, 2 where nothing could be tested.
"""

import os
import shutil
import sys
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import building
import console
import paper
import poster
import projector
import search
import wide
from sizes import DESK, PHONE, WIDE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND",
]
THEMES = ("light", "navy")
# mdBook's page for servers: its links begin at the root of a host.
NOT_READ = {"404.html"}


# What the files say, without a browser.

class Page(HTMLParser):
    """Links, ids, images and pictures of one page."""

    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.ids, self.main_ids = path, [], set(), []
        self.faults, self.depth, self.picture, self.svg = [], 0, False, None
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "main":
            self.depth += 1
        for name in ("id", "name") if tag == "a" else ("id",):
            if found.get(name):
                self.ids.add(found[name])
                if self.depth:
                    self.main_ids.append(found[name])
        for name in ("href", "src"):
            # A <use> and a <base> lead nowhere.
            if found.get(name) is not None and tag not in ("base", "use"):
                self.links.append(found[name])
        if not self.depth:
            return
        if tag == "img" and found.get("alt") is None:
            self.faults.append(("alt", f"an image without alt: {found.get('src')}"))
        if tag == "figure":
            self.picture = "picture" in (found.get("class") or "").split()
        if tag == "svg" and self.picture:
            self.svg = {"labels": (found.get("aria-labelledby") or "").split(), "ids": {}, "tag": None}
        if self.svg is not None and tag in ("title", "desc"):
            self.svg["tag"] = tag
            self.svg["ids"][tag] = (found.get("id"), "")

    def handle_data(self, text):
        if self.svg is not None and self.svg["tag"]:
            tag = self.svg["tag"]
            identity, before = self.svg["ids"][tag]
            self.svg["ids"][tag] = (identity, before + text)

    def handle_endtag(self, tag):
        if tag == "main":
            self.depth -= 1
        if tag == "figure":
            self.picture = False
        if self.svg is None:
            return
        if tag in ("title", "desc"):
            self.svg["tag"] = None
        if tag == "svg":
            for part in ("title", "desc"):
                identity, text = self.svg["ids"].get(part, (None, ""))
                if not text.strip() or identity not in self.svg["labels"]:
                    self.faults.append(("picture", f"a picture without a {part} that labels it"))
            self.svg = None


def check_files(site):
    """Every link leads somewhere, no id is there twice, no picture is mute."""
    faults = []
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name not in NOT_READ}
    for path, page in pages.items():
        complain = lambda kind, text: faults.append((kind, str(path.relative_to(site)), text))
        for kind, text in page.faults:
            complain(kind, text)
        for identity in {i for i in page.main_ids if page.main_ids.count(i) > 1}:
            complain("id", f"an id twice: {identity}")
        for link in page.links:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            address, fragment = urldefrag(link)
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path.resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                complain("link", f"leads nowhere: {link}")
            elif fragment and target in pages and unquote(fragment) not in pages[target].ids \
                    and not building.is_choice(target, unquote(fragment)):
                complain("fragment", f"no such place: {link}")
    return faults


# What the browser says.

def look_at(context, axe, url, themes):
    """Opens a page on a phone, and returns what is wrong with it, in which theme."""
    faults = []
    page = context.new_page()
    complain = lambda kind, text, theme=themes[0]: faults.append((kind, theme, text))
    page.on("console", lambda m: m.type == "error" and complain("console", m.text))
    page.on("pageerror", lambda error: complain("script", str(error)))
    page.on("requestfailed", lambda r: complain("request", f"{r.url}: {r.failure}"))
    page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:"))
            or complain("away", f"asks the network for {r.url}"))
    page.goto(url)
    # What is folded is read as well.
    page.evaluate("document.querySelectorAll('main details').forEach((it) => { it.open = true; })")
    for source in page.evaluate(
            "[...document.images].filter((it) => it.complete && !it.naturalWidth).map((it) => it.src)"):
        complain("image", f"cannot be shown: {source}")
    for text in page.evaluate(WIDE):
        complain("wide", text)
    if page.query_selector("main"):
        page.evaluate(axe)
        for violation in page.evaluate(AXE, {}):
            complain("contrast" if violation["id"] == "color-contrast" else "axe", violation["text"])
        # Themes differ in their colours only.
        for theme in themes[1:]:
            page.evaluate("(it) => document.getElementById('mdbook-theme-' + it).click()", theme)
            if not page.evaluate("(it) => document.documentElement.classList.contains(it)", theme):
                complain("theme", "cannot be chosen", theme)
            for violation in page.evaluate(AXE, {"runOnly": ["color-contrast"]}):
                complain("contrast", violation["text"], theme)
    page.close()
    return faults


AXE = """async (runOnly) => {
    const found = await axe.run('main', { resultTypes: ['violations'], elementRef: false, preload: false, ...runOnly });
    const grave = found.violations.filter((it) => ['serious', 'critical'].includes(it.impact));
    return grave.map((it) => ({ id: it.id, text: `${it.id}, ${it.nodes.length} times: ` + it.nodes.slice(0, 3)
        .map((node) => node.html.slice(0, 90) + ' ' + (node.any[0]?.message ?? '').slice(0, 120)).join(' | ') }));
}"""


def themed(browser, theme, **options):
    context = browser.new_context(viewport=options.pop("viewport", PHONE), reduced_motion="reduce", **options)
    context.add_init_script(f"localStorage.setItem('mdbook-theme', '{theme}')")
    context.set_default_timeout(20_000)
    return context


def check_pages(browser, axe, site, pages, themes=THEMES):
    faults = []
    context = themed(browser, themes[0])
    for path in pages:
        for kind, theme, text in look_at(context, axe, path.as_uri(), themes):
            faults.append((kind, f"{path.relative_to(site)} ({theme})", text))
    context.close()
    return faults


# What is done to a page, beside looking at it: the page, and its checks.
SUITES = [(building.PAGE, building.CHECKS), (poster.PAGE, poster.CHECKS), (console.PAGE, console.CHECKS), (paper.PAGE, paper.CHECKS),
          (paper.WHOLE, paper.WHOLE_CHECKS), (search.PAGE, search.CHECKS),
          (projector.PAGE, projector.CHECKS),
          (wide.PAGE, wide.CHECKS), (wide.SHEET, wide.SHEET_CHECKS), (wide.STEP, wide.STEP_CHECKS)]


def check_suite(browser, site, name, checks):
    faults = []
    for check in checks:
        script = not getattr(check, "no_script", False)
        context = themed(browser, "light", viewport=DESK, java_script_enabled=script)
        page = context.new_page()
        try:
            page.goto((site / name).as_uri())
            check(page)
        except Exception as error:
            faults.append((check.__name__, name, str(error).splitlines()[0]))
        context.close()
    return faults


# The controls.

SOUND = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<style>body { color: #000; background: #fff }</style></head>
<body><div style="overflow-y: auto"><main><h1 id="top">Sound</h1>%s</main></div></body></html>"""

# A fault, and the kind of complaint that it must raise. The last one raises none.
FAULTS = [
    ("console", "<script>console.error('no')</script>"),
    ("script", "<script>throw new Error('no')</script>"),
    ("request", "<link rel=stylesheet href=missing.css>"),
    ("away", "<img alt='' src='http://192.0.2.1/away.png'>"),
    ("image", "<img alt='' src='sound.html'>"),
    ("wide", "<p style='width: 500px'>wide</p>"),
    ("contrast", "<p style='color: #aaa'>pale</p>"),
    ("axe", "<button></button>"),
    ("link", "<a href='missing.html'>there</a>"),
    ("fragment", "<a href='sound.html#nowhere'>there</a>"),
    ("id", "<p id='top'>twice</p>"),
    ("alt", "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=='>"),
    ("picture", "<figure class='picture'><svg role='img' aria-label='it' viewBox='0 0 1 1'></svg></figure>"),
    (None, "<p><a href='#top'>up</a></p>"),
]


def check_controls(browser, axe, site):
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for kind, fault in FAULTS:
            (folder / f"{kind or 'sound'}.html").write_text(SOUND % fault)
        pages = sorted(folder.glob("*.html"))
        found = check_files(folder) + check_pages(browser, axe, folder, pages, THEMES[:1])
        for kind, _ in FAULTS:
            name = f"{kind or 'sound'}.html"
            kinds = {it[0] for it in found if it[1].split()[0] == name}
            if (kind and kind not in kinds) or (not kind and kinds):
                faults.append(("control", name, f"expected {kind}, and heard {kinds or 'nothing'}"))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "book"
        shutil.copytree(site, copy)
        for name, checks in SUITES:
            for check, fault in checks.items():
                faults += check_spoilt(browser, copy, name, check, *fault)
    return faults


def check_spoilt(browser, copy, name, check, file, line, spoilt):
    """Spoils one line of the copy, and expects the check to complain."""
    # mdBook writes a hash of what is in it into a file's name.
    path = next(copy.glob(file))
    text = path.read_text()
    if line not in text:
        return [("control", check.__name__, f"{line!r} is not in {file} any more")]
    path.write_text(text.replace(line, spoilt))
    found = check_suite(browser, copy, name, [check])
    path.write_text(text)
    return [] if found else [("control", check.__name__, f"does not see {spoilt!r}")]


def controls():
    return len(FAULTS) + sum(len(checks) for _, checks in SUITES)


def told(faults):
    for kind, where, text in faults:
        print(f"{where}: {kind}: {text}", flush=True)
    return faults


def main():
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "target/book").resolve()
    if not (site / "index.html").is_file():
        print(f"site: there is no book in {site}; scripts/book builds it", file=sys.stderr)
        return 2
    if not CHROMIUM:
        print("site: there is no Chromium here, and so nothing was tested: sudo apt install chromium", file=sys.stderr)
        return 2
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    start = time.monotonic()
    axe = Axe().axe_script
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    pages = [path for path in sorted(site.rglob("*.html")) if path.name not in NOT_READ]
    pages = [path for path in pages if word in str(path.relative_to(site))]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        faults = [] if word else told(check_files(site))
        for path in pages:
            faults += told(check_pages(browser, axe, site, [path]))
        for name, checks in SUITES:
            if word in name:
                faults += told(check_suite(browser, site, name, checks))
        if not word:
            faults += told(check_controls(browser, axe, site))
        browser.close()
    print(f"site: {len(pages)} pages in {len(THEMES)} themes, {0 if word else controls()} controls, "
          f"{len(faults)} complaints, {time.monotonic() - start:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    os.environ.pop("DEBUG", None)
    sys.exit(main())
