"""The pictures that greet a reader on the first page: that they can be read in
light and dark, that they come to rest, and do not move at all for who wants
none of it. Each check has a line to spoil, on which it must fail: see site.py.
"""

import base64

PAGE = "index.html"
FILE = "generated/terminal.svg"


def open_picture(page, name="terminal.svg"):
    """The picture as a page of its own."""
    folder = page.url.rsplit("/", 1)[0].removesuffix("/generated")
    page.goto(f"{folder}/generated/{name}")


def are_shown(page):
    found = page.evaluate("""[...document.querySelectorAll('main img.poster')]
        .map((it) => [it.complete && it.naturalWidth, it.alt.length, it.currentSrc.split('/').pop()])""")
    assert len(found) == 2, f"{len(found)} pictures greet"
    assert all(width and alt > 40 for width, alt, _ in found), f"not to be seen, or without words: {found}"


def rests_for_who_wants_no_motion(page):
    # This reader asked for none (site.py).
    chosen = page.evaluate("document.querySelector('main picture img').currentSrc")
    assert chosen.endswith("/terminal-still.svg"), f"{chosen} is shown"
    for name in ("terminal.svg", "terminal-still.svg", "building.svg"):
        open_picture(page, name)
        moving = page.evaluate("document.getAnimations().length")
        assert not moving, f"{name}: {moving} lines move"


# When each thing has come to rest, in seconds, and what cannot be seen then.
MOTION = """() => {
    const all = document.getAnimations();
    const ends = all.map((it) => it.effect.getComputedTiming().endTime / 1000);
    all.forEach((it) => it.finish());
    const hidden = [...document.querySelectorAll('g, text')].filter((it) => {
        const style = getComputedStyle(it);
        return style.opacity !== '1' || style.clipPath !== 'none' || style.visibility !== 'visible';
    });
    return [Math.max(...ends), all.length, hidden.length];
}"""


def comes_to_rest(page):
    page.emulate_media(reduced_motion="no-preference")
    open_picture(page)
    end, moving, hidden = page.evaluate(MOTION)
    assert moving > 10, f"{moving} lines move"
    # Whatever moves longer needs a button that stops it (WCAG 2.2.2).
    assert end <= 5, f"it moves for {end} s"
    assert not hidden, f"{hidden} lines are never seen"


CONTRAST = """() => {
    const light = (color) => color.match(/[0-9.]+/g).slice(0, 3).map((it) => it / 255)
        .map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
        .reduce((sum, it, n) => sum + it * [0.2126, 0.7152, 0.0722][n], 0.05);
    const fill = (it) => light(getComputedStyle(it).fill);
    const paper = fill(document.querySelector('.window'));
    return [...document.querySelectorAll('text')].map((it) => {
        const mark = it.parentNode.querySelector('.mark');
        const [ink, under] = [fill(it), mark ? fill(mark) : paper];
        return [Math.max(ink, under) / Math.min(ink, under), it.textContent];
    }).sort(([one], [other]) => one - other)[0];
}"""


def can_be_read(page):
    open_picture(page)
    papers = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ratio, text = page.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{scheme}: {text!r} has {ratio:.1f} to 1"
        papers.append(page.evaluate("getComputedStyle(document.querySelector('.window')).fill"))
        wide = page.evaluate("""[...document.querySelectorAll('text')].filter((it) =>
            it.getBBox().x + it.getBBox().width > document.documentElement.viewBox.baseVal.width)
            .map((it) => it.textContent)""")
        assert not wide, f"cut off: {wide}"
    assert papers[0] != papers[1], f"dark is as light: {papers}"


def brightness(page, selector):
    """Of the paper, a few pixels from the left edge of the picture."""
    shot = base64.b64encode(page.locator(selector).screenshot()).decode()
    return page.evaluate("""async (shot) => {
        const image = new Image();
        image.src = 'data:image/png;base64,' + shot;
        await image.decode();
        const paper = new OffscreenCanvas(image.width, image.height).getContext('2d');
        paper.drawImage(image, 0, 0);
        const [red, green, blue] = paper.getImageData(10, Math.floor(image.height / 3), 1, 1).data;
        return Math.round((red + green + blue) / 3);
    }""", shot)


def is_as_dark_as_the_page(page):
    # Whatever the system says: the reader chooses the theme.
    for theme, is_dark in (("light", False), ("navy", True), ("coal", True), ("rust", False)):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("(it) => document.getElementById('mdbook-theme-' + it).click()", theme)
            found = brightness(page, "main picture img")
            assert (found < 100) == is_dark, f"{theme}, with a {scheme} system: the paper has {found} of 255"


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    are_shown: (PAGE, 'src="generated/building.svg"', 'src="generated/nothing.svg"'),
    rests_for_who_wants_no_motion: (FILE, "@media (prefers-reduced-motion: no-preference)", "@media all"),
    comes_to_rest: (FILE, "0.2s steps(1) backwards", "0.2s steps(1) infinite"),
    can_be_read: (FILE, ".quiet { fill: var(--quiet)", ".quiet { fill: var(--line)"),
    is_as_dark_as_the_page: ("generated/terminal-still.svg", "@media (prefers-color-scheme: dark)", "@media print"),
}
