"""Tables and code that are wider than a telephone: one sees that there is more,
and where. Each check has a line to spoil, on which it must fail: see site.py.
"""

from sizes import PHONE

PAGE = "beyond/names.html"
SHEET = "classroom/sheet.html"
STEP = "steps/step03.html"
BUILT = "theme/reach-*.js"
STYLE = "theme/workshop-*.css"

# Each that scrolls: which edges fade, and by how much.
EDGES = """(selector) => [...document.querySelectorAll(selector)].filter((it) => it.scrollWidth > it.clientWidth)
    .map((it) => {
        const style = getComputedStyle(it);
        const far = (name) => style.maskImage === 'none' ? 0 : parseFloat(style.getPropertyValue(name)) || 0;
        return [far('--left'), far('--right')];
    })"""


def edges(page, selector):
    page.set_viewport_size(PHONE)
    page.reload()
    found = page.evaluate(EDGES, selector)
    assert found, f"nothing is wide here: {selector}"
    return found


def scroll(page, selector, to):
    """And lets the browser say so, which it does before the next picture."""
    page.evaluate("""([selector, to]) => new Promise((done) => {
        document.querySelectorAll(selector).forEach((it) => { it.scrollLeft = to * it.scrollWidth; });
        requestAnimationFrame(() => requestAnimationFrame(done));
    })""", [selector, to])
    return page.evaluate(EDGES, selector)


def tables_show_that_there_is_more(page):
    tables = "main .table-wrapper"
    found = edges(page, tables)
    assert all(left == 0 and right > 0 for left, right in found), f"at the left end: {found}"
    found = scroll(page, tables, 1)
    assert all(left > 0 and right == 0 for left, right in found), f"at the right end: {found}"
    found = scroll(page, tables, 0)
    assert all(left == 0 and right > 0 for left, right in found), f"back again: {found}"


def code_shows_that_there_is_more(page):
    found = edges(page, "main pre > code")
    assert all(left == 0 and right > 0 for left, right in found), f"{found}"


def nothing_fades_that_fits(page):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.reload()
    faded = page.evaluate("""[...document.querySelectorAll('main .table-wrapper, main pre > code')]
        .filter((it) => it.scrollWidth <= it.clientWidth && getComputedStyle(it).maskImage !== 'none').length""")
    assert not faded, f"{faded} fade although all of them is there"


def nothing_fades_on_paper(page):
    edges(page, "main .table-wrapper")
    page.emulate_media(media="print")
    faded = page.evaluate("""[...document.querySelectorAll('main .table-wrapper')]
        .filter((it) => getComputedStyle(it).maskImage !== 'none').length""")
    assert not faded, f"{faded} tables fade on paper"


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    tables_show_that_there_is_more: (BUILT, 'addEventListener("scroll"', 'addEventListener("never"'),
    nothing_fades_that_fits: (BUILT, "right > 1", "right > -1"),
}
SHEET_CHECKS = {
    nothing_fades_on_paper: (STYLE, "@media screen {\n  .more-left", "@media all {\n  .more-left"),
}
STEP_CHECKS = {
    code_shows_that_there_is_more: (STYLE, ".more-right { --right: 2.5rem; }", ""),
}
