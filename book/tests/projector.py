"""A page on a projector: one thing at a time, in large type, on a screen of
1024 by 768 and on paper. Each check has a line to spoil, on which it must
fail: see site.py.
"""

import io

from axe_playwright_python.sync_playwright import Axe
from pypdf import PdfReader

from paper import squeezed
from sizes import PROJECTOR

PAGE = "steps/step03.html"
BUILT = "theme/projector-*.js"
STYLE = "theme/workshop-*.css"
# Prose that is for who reads.
PROSE = "Now the same four lines, as root again, in step03"


def begin(page):
    page.set_viewport_size(PROJECTOR)
    page.keyboard.press("p")
    assert page.is_visible("#projector-place"), "p does not begin it"


def place(page):
    return [int(it) for it in page.inner_text("#projector-place").split(" of ")]


def forward(page):
    """Over what is longer than the screen, to the next slide."""
    now = place(page)[0]
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        if place(page)[0] != now:
            return
    raise AssertionError(f"the arrow key does not lead on from {now}")


def slides(page):
    """Each slide, while it is shown."""
    now, all_of_them = place(page)
    assert now == 1, f"it begins at {now}"
    for number in range(1, all_of_them + 1):
        yield number
        if number < all_of_them:
            forward(page)


SHOWN = """() => {
    const main = document.querySelector('main');
    const all = [...main.children].filter((it) => it.getBoundingClientRect().height > 0);
    return all.map((it) => [it.tagName, [...main.children].indexOf(it), it.innerText]);
}"""


def shows_one_thing_at_a_time(page):
    wanted = page.evaluate("""[...document.querySelectorAll('main > :is(h2, pre, figure, details)')]
        .map((it) => [...it.parentNode.children].indexOf(it))""")
    begin(page)
    seen = set()
    for number in slides(page):
        shown = page.evaluate(SHOWN)
        headings = [tag for tag, _, _ in shown if tag in ("H1", "H2")]
        assert len(headings) == 1, f"slide {number} has the headings {headings}"
        blocks = [tag for tag, _, _ in shown if tag in ("PRE", "FIGURE")]
        assert len(blocks) <= 1, f"slide {number} shows {blocks}"
        assert not any(PROSE in text for _, _, text in shown), "prose is on a slide"
        seen |= {index for _, index, _ in shown}
    missing = [index for index in wanted if index not in seen]
    assert len(wanted) > 15 and not missing, f"never shown: {missing} of {wanted}"


def asks_before_it_shows(page):
    begin(page)
    forward(page)
    text = page.inner_text("main")
    assert text.startswith("Predict") and text.count("?") >= 2, f"the second slide says {text[:80]!r}"


def obeys_its_keys(page):
    here = page.url
    begin(page)
    for key, wanted in (("ArrowRight", 2), ("PageDown", 3), ("ArrowLeft", 2), ("PageUp", 1)):
        page.keyboard.press(key)
        assert page.url.split("?")[0] == here, f"{key} leads to {page.url}"
        assert place(page)[0] == wanted, f"{key} leads to {place(page)}"
    page.keyboard.press("Escape")
    assert not page.is_visible("#projector-place") and "?" not in page.url, "Escape does not end it"
    assert PROSE in page.inner_text("main"), "what was hidden stays so"
    page.click(".projector-button")
    assert place(page)[0] == 1, "the button does not begin it"


def begins_by_its_address(page):
    page.set_viewport_size(PROJECTOR)
    page.goto(page.url + "?projector#break-it")
    assert page.is_visible("#break-it") and page.is_hidden("#see-it"), "it does not begin where the address says"
    page.keyboard.press("End")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        if "step04" in page.url:
            break
    page.wait_for_selector("#projector-place")
    assert "step04.html?projector" in page.url and place(page)[0] == 1, f"after the last slide comes {page.url}"


def is_large(page):
    begin(page)
    for number in slides(page):
        small = page.evaluate("""[...document.querySelectorAll('main > .now, main > .now code')]
            .map((it) => [parseFloat(getComputedStyle(it).fontSize), it.closest('pre, figure') ? 16 : 18, it.outerHTML])
            .filter(([size, least, html]) => size < (html.startsWith('<code') ? 16 : least)).map((it) => it.join(' '))""")
        assert not small, f"slide {number}: {small[0][:80]}"
        wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert wide <= 0, f"slide {number} is {wide} px too wide"


def fits_the_screen(page):
    # All but code, which may be scrolled.
    begin(page)
    for number in slides(page):
        if page.evaluate("!document.querySelector('main > .now > code:not(.language-console)')"):
            high = page.evaluate("document.scrollingElement.scrollHeight - innerHeight")
            assert high <= 0, f"slide {number} is {high} px too high"


def can_be_read(page):
    begin(page)
    page.evaluate(Axe().axe_script)
    for theme in ("light", "navy"):
        page.evaluate("(it) => document.getElementById('mdbook-theme-' + it).click()", theme)
        page.keyboard.press("Home")
        for _ in slides(page):
            found = page.evaluate("axe.run('main')")["violations"]
            assert not found, f"{theme}: {found[0]['id']}: {found[0]['nodes'][0]['html'][:90]}"


def is_printed_without_prose(page):
    begin(page)
    pdf = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    sheets = [(sheet.mediabox, squeezed(sheet.extract_text())) for sheet in pdf.pages]
    assert all(box.width > box.height for box, _ in sheets), "the sheets stand upright"
    text = "".join(text for _, text in sheets)
    assert squeezed("Is it now further in, or out?") in text, "the questions are not printed"
    assert squeezed(PROSE) not in text, "the prose is printed"


def leaves_typing_alone(page):
    page.keyboard.press("s")
    page.keyboard.type("pivot")
    assert not page.is_visible("#projector-place"), "a p in the search begins it"
    assert page.input_value("#mdbook-searchbar") == "pivot", "the search does not get its letters"


def without_script(page):
    page.goto(page.url + "?projector")
    assert page.get_by_text(PROSE).is_visible(), "without JavaScript the page is not the page"


without_script.no_script = True

# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    shows_one_thing_at_a_time: (BUILT, "img.poster, pre, #building", "img.poster, #building"),
    asks_before_it_shows: (BUILT, 'includes("?");\n  let slides', 'includes("!");\n  let slides'),
    obeys_its_keys: (BUILT, "event.stopImmediatePropagation();", ""),
    begins_by_its_address: (BUILT, 'link.href + "?projector"', "link.href"),
    is_large: (STYLE, "font-size: max(16px, 0.68em)", "font-size: 0.4em"),
    fits_the_screen: (STYLE, ".picture svg { max-height: 56vh; }", ".picture svg { min-height: 150vh; }"),
    can_be_read: (STYLE, "font-size: 14px; color: var(--quiet)", "font-size: 14px; color: var(--building)"),
    is_printed_without_prose: (STYLE, "main > :not(.shown) { display: none", "main > :not(*) { display: none"),
    leaves_typing_alone: (BUILT, '"input, textarea', '"textarea'),
    without_script: (PAGE, "<main>", "<main style='display: none'>"),
}
