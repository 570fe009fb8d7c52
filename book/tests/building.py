"""The page "the building": what can be put on, what it changes, and that both
are seen at once. Each check has a line to spoil, on which it must fail: see
site.py.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe

from sizes import NOTEBOOK, PHONE, WIDE

PAGE = "building.html"
STYLE = "theme/workshop-*.css"
RUNGS = "#building .presets:not(.tries) button"
TRIES = "#building .tries button"

def shown(page, command):
    """What stands under a command on the page."""
    return page.evaluate("""(command) => [...document.querySelectorAll('#building .card pre')]
        .find((it) => it.querySelector('kbd')?.textContent.startsWith('$ ' + command))
        .querySelector('samp').textContent""", command)


def press(page, selector, key):
    """Walks there with the Tab key, and presses another."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("(it) => document.activeElement.matches(it)", selector):
            return page.keyboard.press(key)
    raise AssertionError(f"Tab does not lead to {selector}")


def said(page):
    return page.inner_text("#building [aria-live=polite]")


def by_keyboard(page):
    assert "building" in shown(page, "ps"), "ps does not show the machine's processes"
    many = shown(page, "ps").count("\n")
    before = said(page)
    press(page, "#wear-pid", "Space")
    assert page.is_checked("#wear-pid"), "Space does not put on the PID namespace"
    assert shown(page, "ps").count("\n") >= many - 1, "ps is blind without a new /proc"
    press(page, "#wear-mount", "Space")
    assert shown(page, "ps").count("\n") < many - 2, "ps does not shrink with PID and mount namespace"
    press(page, RUNGS + ":last-of-type", "Enter")
    assert page.is_checked("#wear-caps"), "Enter on step11 does not put on what it wears"


def tells(page):
    before = said(page)
    page.check("#wear-uts")
    after = said(page)
    assert before != after and "UTS" in after and "Its name" in after, f"the live region says {after!r}"
    page.check("#wear-overlay")
    assert page.is_checked("#wear-mount") and "mount" in said(page), "an overlay without a root of its own"


def refuses(page):
    page.check("#wear-user")
    page.check("#wear-mount")
    assert "refuses" in said(page) and page.is_visible("#building .refusal"), "no word of the refusal"
    assert "EPERM" in page.inner_text("#building .refusal"), "the refusal is not the kernel's"
    page.check("#wear-pid")
    assert not page.is_visible("#building .refusal"), "it is refused for ever"


def presets(page):
    worn = page.evaluate("BUILDING.primitives.map((it) => [it.id, it.rung])")
    buttons = page.query_selector_all(RUNGS)
    assert len(buttons) == 12, f"{len(buttons)} rungs have a button"
    for rung, button in enumerate(buttons):
        button.click()
        on = {identity for identity, _ in worn if page.is_checked(f"#wear-{identity}")}
        assert on == {identity for identity, since in worn if since <= rung}, f"step{rung:02} wears {on}"
        assert button.get_attribute("aria-pressed") == "true", f"step{rung:02} is not pressed"
        name = "box" if rung >= 1 else "vm"
        assert shown(page, "hostname") == name, f"step{rung:02} is called {shown(page, 'hostname')}"


def is_drawn(page):
    page.click(RUNGS + ":last-of-type")
    labels = page.get_attribute("#building svg", "aria-labelledby").split()
    texts = [page.evaluate("(it) => document.getElementById(it).textContent", label) for label in labels]
    assert len(texts) == 2 and all(texts) and "8 of 8" in texts[1], f"the drawing says {texts}"
    shut = page.evaluate("document.querySelectorAll('#building svg .window.on').length")
    assert shut == 8, f"{shut} windows are shut"


def fits(page):
    page.set_viewport_size(PHONE)
    page.reload()
    for button in page.query_selector_all(RUNGS):
        button.click()
        wide = page.evaluate(WIDE)
        assert not wide, f"{button.inner_text()}: {wide}"
    low = page.evaluate("""[...document.querySelectorAll('#building label, #building button')]
        .filter((it) => it.getBoundingClientRect().height < 24).length""")
    assert not low, f"{low} things are too small for a finger"


def is_calm(page):
    moving = page.evaluate("""[...document.querySelectorAll('#building *')]
        .filter((it) => getComputedStyle(it).transitionDuration !== '0s').length""")
    assert not moving, f"{moving} things move although the reader asked for calm"


def without_script(page):
    assert page.is_visible("#building p"), "no word that the page takes JavaScript"
    rows = page.query_selector_all("main table.pairs tbody tr")
    assert len(rows) == 12, f"{len(rows)} rows in the table"
    for row in rows:
        before, after = (cell.inner_text() for cell in row.query_selector_all("pre"))
        assert before != after, f"no difference: {row.inner_text()}"
    assert page.is_visible(".in-words"), "the experiments are not there in words"


without_script.no_script = True


def is_choice(path, fragment):
    """Does a link to the page set what is put on, such as #pid,mount or #step05?"""
    data = path.parent / "generated/building-data.js"
    if path.name != PAGE or not data.is_file():
        return False
    known = set(re.findall(r'\{ id: "(\w+)", name:', data.read_text()))
    return bool(re.fullmatch(r"step(0\d|1[01])", fragment)) or set(fragment.split(",")) <= known


def links_to_a_choice(page):
    path = Path(unquote(urlsplit(page.url).path))
    for fragment, is_one in (("pid,mount", True), ("step11", True), ("step12", False), ("pid,nothing", False)):
        assert is_choice(path, fragment) == is_one, f"#{fragment} is taken for {'none' if is_one else 'one'}"


def in_view(page, selector):
    """Which of these end outside of the window, as it stands."""
    return page.evaluate("""(selector) => [...document.querySelectorAll(selector)].filter((it) => {
        const box = it.getBoundingClientRect();
        return box.height === 0 || box.top < 0 || box.bottom > innerHeight;
    }).map((it) => it.innerText.slice(0, 30))""", selector)


def in_one_screen(page):
    # A tick, a press of a button, and what is different then, without scrolling.
    page.set_viewport_size(NOTEBOOK)
    page.reload()
    ticks = page.evaluate("BUILDING.primitives.map((it) => '#wear-' + it.id)")
    tries = [f"{TRIES}:nth-of-type({number + 1})" for number in range(page.locator(TRIES).count())]
    assert len(ticks) == 12 and len(tries) == 9, f"{len(ticks)} boxes, {len(tries)} experiments"
    for selector in ticks + tries:
        page.click(f"{RUNGS}:first-of-type")
        page.click(selector)
        assert page.evaluate("document.scrollingElement.scrollTop") == 0, f"{selector} is a screen below"
        assert page.locator("#building .news .card").count(), f"{selector} shows nothing"
        below = in_view(page, "#building .said, #building .news .card")
        assert not below, f"{selector}: {below} cannot be seen"


def first_what_changed(page):
    for identity in page.evaluate("BUILDING.primitives.map((it) => it.id)"):
        page.click(f"{RUNGS}:first-of-type")
        page.check(f"#wear-{identity}")
        titles = page.evaluate("[...document.querySelectorAll('#building .news h2')].map((it) => it.textContent)")
        told = said(page).split("Changed: ")[1].split(".")[0]
        assert sorted(titles) == sorted(told.split(", ")), f"{identity}: {titles} are shown, and {told!r} told"


def experiments(page):
    for number, button in enumerate(page.query_selector_all(TRIES)):
        button.click()
        on = set(button.get_attribute("data-on").split(","))
        worn = set(page.evaluate("[...document.querySelectorAll('#building input:checked')].map((it) => it.id.slice(5))"))
        assert worn == on, f"{button.inner_text()} puts on {worn}"
        assert button.get_attribute("aria-pressed") == "true", f"{button.inner_text()} is not pressed"
        words = page.evaluate("(it) => document.querySelectorAll('.in-words li')[it].textContent", number)
        assert " ".join(words.split()) in " ".join(said(page).split()), f"not told: {words!r}"


def address(page):
    page.check("#wear-pid")
    page.check("#wear-mount")
    assert page.url.endswith("#pid,mount"), f"the address is {page.url}"
    page.click(RUNGS + ":last-of-type")
    assert page.url.endswith("#step11"), f"the address is {page.url}"
    page.go_back()
    assert page.is_checked("#wear-pid") and not page.is_checked("#wear-caps"), "back, and nothing happens"
    page.reload()
    assert page.is_checked("#wear-mount") and not page.is_checked("#wear-uts"), "a link to a choice is not heeded"
    assert "Processes" in said(page), f"a link to a choice says {said(page)!r}"
    # What is no choice changes none, such as a link to a heading.
    for other in ("#pid,nothing", "#how-it-was-recorded", "#step12"):
        page.evaluate("(it) => { location.hash = it; }", other)
        assert page.is_checked("#wear-pid"), f"{other} is taken for a choice"


def is_clean(page):
    page.evaluate(Axe().axe_script)
    for theme in ("light", "navy"):
        page.evaluate("(it) => document.getElementById('mdbook-theme-' + it).click()", theme)
        for number in (1, 4):
            page.locator(TRIES).nth(number).click()
            found = page.evaluate("axe.run('#building')")["violations"]
            assert not found, f"{theme}: {found[0]['id']}: {found[0]['nodes'][0]['html'][:90]}"


def short_on_a_phone(page):
    page.set_viewport_size(PHONE)
    page.reload()
    page.check("#wear-pid")
    screens = page.evaluate("document.scrollingElement.scrollHeight") / PHONE["height"]
    assert screens < 5, f"{screens:.1f} screens"
    page.evaluate("document.getElementById('wear-pid').scrollIntoView({ block: 'end' })")
    assert not in_view(page, "#building .said"), "what has changed is told where nobody sees it"


def in_words_on_paper(page):
    assert not page.is_visible(".in-words"), "the experiments stand there twice"
    page.emulate_media(media="print")
    assert page.is_visible(".in-words"), "on paper nobody can press, and there are no words"


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    by_keyboard: ("building.js", 'box.addEventListener("change"', 'box.addEventListener("never"'),
    tells: ("building.js", "said.replaceChildren(", "said.children.concat?.("),
    refuses: ("building.js", "if (refused) columns[0]", "if (false) columns[0]"),
    presets: ("building.js", "p.rung <= rung", "p.rung < rung"),
    is_drawn: ("building-house.js", 'svg.querySelector("desc").textContent', "svg.unused"),
    fits: ("building.html", '<div id="building">', '<div id="building" style="min-width: 500px">'),
    is_calm: ("building.html", '<div id="building">', '<style>#building * { transition: all 1s !important }</style>'
              '<div id="building">'),
    without_script: ("building.html", "<tbody>", "<tbody hidden><tr></tr></tbody><tbody>"),
    links_to_a_choice: ("generated/building-data.js", 'id: "mount", name', 'id: "mont", name'),
    in_one_screen: (STYLE, "@container (min-width: 860px)", "@container (min-width: 8600px)"),
    first_what_changed: ("building.js", "shown.includes(card) ?", "true ?"),
    experiments: ("building.js", 'choose(on, "", told', 'choose(words(worn), "", told'),
    address: ("building.js", 'addEventListener("popstate"', 'addEventListener("never"'),
    is_clean: (STYLE, '#building button[aria-pressed="true"] {\n  color: var(--blind)',
               '#building button[aria-pressed="true"] {\n  color: var(--line)'),
    short_on_a_phone: (STYLE, "position: sticky; bottom: 0", "position: static"),
    in_words_on_paper: (STYLE, "@media screen {\n  .told", "@media all {\n  .told"),
}
