"""The book on paper: nothing is cut off, what is folded is printed, and the
whole book is one PDF. A page is printed as Chromium prints it, and the text of
the PDF is read back, but for blanks: a PDF has lines and no paragraphs.
"""

import io

from pypdf import PdfReader

PAGE = "steps/step08.html"
WHOLE = "print.html"
STYLE = "theme/workshop-*.css"
# A4 less its margins of 14 mm, in CSS's pixels.
SHEET = {"width": 688, "height": 1017}


def squeezed(text):
    return "".join(text.split())


def printed(page):
    """The text of the printed page."""
    pdf = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    return squeezed("".join(sheet.extract_text() for sheet in pdf.pages))


def wide(page):
    """What is wider on paper than the paper."""
    page.set_viewport_size(SHEET)
    page.emulate_media(media="print")
    return page.evaluate("""[...document.querySelectorAll('main pre > code, main .table-wrapper')]
        .filter((it) => it.scrollWidth > it.clientWidth + 1 && !it.closest('details:not([open])'))
        .map((it) => `${it.scrollWidth} px in ${it.clientWidth}: ${it.textContent.trim().slice(0, 60)}`)""")


def long_lines_go_on(page):
    # Longer than any in the book, and with no blank at which to break it.
    page.evaluate("document.querySelector('main pre > code').append('\\n' + 'x'.repeat(170) + '-is-its-end')")
    ends = page.evaluate("""[...document.querySelectorAll('main pre > code')].flatMap((it) => it.innerText.split('\\n'))
        .filter((it) => it.length > 75).map((it) => it.slice(-25))""")
    assert ends, "there is no long line to look for"
    text = printed(page)
    for end in ends:
        assert squeezed(end) in text, f"the end of a line is not printed: {end!r}"
    found = wide(page)
    assert not found, f"cut off: {found[0]}"


def folded_answers_are_printed(page):
    answers = page.evaluate("""[...document.querySelectorAll('main details:not([open]) > p')]
        .map((it) => it.textContent.trim().slice(0, 30))""")
    assert answers, "there is no folded answer to look for"
    # As where a browser prints and does not say so.
    page.add_init_script("window.addEventListener('beforeprint', (it) => it.stopImmediatePropagation(), true)")
    page.reload()
    text = printed(page)
    for answer in answers:
        assert squeezed(answer) in text, f"a folded answer is not printed: {answer!r}"


def unfolds_for_paper(page):
    # A browser that does not know ::details-content has the event alone.
    folded = "document.querySelectorAll('main details:not([open])').length"
    before = page.evaluate(folded)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert before and not page.evaluate(folded), f"{before} were folded, {page.evaluate(folded)} still are"
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(folded) == before, "what was unfolded for paper stays so"


def has_every_chapter(page):
    titles = page.evaluate("[...document.querySelectorAll('main h1')].map((it) => it.innerText)")
    for title in ("step00: a process", "step11: walking back in", "Glossary", "Where to read on", "The sheet"):
        assert title in titles, f"the whole book lacks {title!r}"
    found = wide(page)
    assert not found, f"cut off: {found[0]}"


def is_dark_on_light(page):
    page.emulate_media(media="print")
    for theme in ("light", "rust", "coal", "navy", "ayu"):
        page.evaluate("(it) => document.getElementById('mdbook-theme-' + it).click()", theme)
        pale = page.evaluate(PALE)
        assert not pale, f"{theme}: {pale[0]}"
        # The margins of the sheet have the color of the canvas.
        canvas = page.evaluate("(({ colorScheme, backgroundColor }) => [colorScheme, backgroundColor])"
                               "(getComputedStyle(document.documentElement))")
        assert canvas == ["light", "rgb(255, 255, 255)"], f"{theme}: the sheet is {canvas}"


def has_light_margins(page):
    is_dark_on_light(page)


# What is too pale for paper: text with more than half of white's brightness.
PALE = """() => [...document.querySelectorAll('main p, main td, main pre code, main pre code *, .picture text')]
    .filter((it) => {
        const style = getComputedStyle(it);
        const color = it.matches('text') ? style.fill : style.color;
        return color.match(/[0-9.]+/g).slice(0, 3).reduce((sum, it) => sum + Number(it), 0) > 380;
    })
    .map((it) => `${it.outerHTML.slice(0, 60)} is ${getComputedStyle(it).color}`)"""


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    long_lines_go_on: (STYLE, "white-space: pre-wrap;\n    overflow-wrap: anywhere;\n    font-size", "white-space: pre;\n    font-size"),
    folded_answers_are_printed: (STYLE, "details::details-content { content-visibility: visible;", "details::none {"),
    is_dark_on_light: (STYLE, "--ink: #1d2733 !important", "--ink: inherit"),
    has_light_margins: (STYLE, "color-scheme: light !important", "color-scheme: inherit"),
    unfolds_for_paper: ("theme/reach-*.js", "it.open = true", "it.open = false"),
}
WHOLE_CHECKS = {
    has_every_chapter: (WHOLE, '<h1 id="glossary">', '<h2 id="glossary">'),
}
