"""Transcripts, as a reader meets them: what the copy button gives, and whether
what is typed, what is answered, inside and outside are told apart. Each check
opens the page of a step, and has a line to spoil, on which it must fail: see
site.py.
"""

import re

from axe_playwright_python.sync_playwright import Axe

PAGE = "steps/step03.html"
BUILT = "theme/console-*.js"
STYLE = "theme/workshop-*.css"


def copied(page, words):
    """Clicks the button of the first block with these words, and pastes what arrived into a field."""
    block = page.locator("main pre", has_text=words).first
    block.hover()
    block.locator(".clip-button").click()
    page.evaluate("""() => {
        document.querySelector('#arrived')?.remove();
        const field = document.createElement('textarea');
        field.id = 'arrived';
        document.querySelector('main').prepend(field);
        field.focus();
    }""")
    page.keyboard.press("ControlOrMeta+V")
    return page.input_value("#arrived")


def expect(found, wanted):
    assert found == wanted, f"what arrived is {found!r}, and not {wanted!r}"


def copies_commands(page):
    # Answers stay behind, and so do the prompts of both terminals.
    # The number of the process is another one whenever the page is recorded.
    pid = re.search(r"pid=\d+\n", page.inner_text("main"))[0]
    expect(copied(page, "2$ cat target/rootfs/note"),
           "cat target/rootfs/note\nsudo lsns -t pid -o NS,PID,USER,COMMAND\n" + pid +
           "ps -o pid,user,args -p $pid\nsudo ls /proc/$pid/root\n"
           "sudo cut -d ' ' -f 5,9 /proc/$pid/mountinfo\n")


def copies_what_is_typed_inside(page):
    expect(copied(page, "step03 # rm /note"), "rm /note\nexit\n")


def copies_lines_that_go_on(page):
    # As typed, with the blanks that a script begins with.
    expect(copied(page, "cat >/tmp/escape"),
           "cat >/tmp/escape <<'EOF'\nmkdir -p /x\nnsenter -r/x bin/sh -c '\n"
           "  for i in 1 2 3 4 5 6 7 8 9; do cd -P .. ; done\n  chroot . ls -d /boot /etc/shadow'\nEOF\n"
           "sudo chroot target/rootfs sh </tmp/escape\n")


def knows_every_prompt(page):
    # A shell of root's, and one inside whose prompt nobody has set.
    page.goto(page.url.replace("steps/step03", "start/forty-lines"))
    expect(copied(page, "bash-5.2# grep NSpid").splitlines()[:2],
           ["sudo bash --norc", "target/debug/container target/rootfs sleep 1000 & disown"])
    expect(copied(page, "/ # ps").splitlines()[1:3], ["hostname; echo $$", "ps"])


def copies_all_of_other_code(page):
    whole = page.locator("main pre code.language-diff, main pre code.language-rust").first.inner_text()
    expect(copied(page, whole.splitlines()[0]).strip(), whole.strip())


# What the eye has to tell the lines apart, but for colour: the bar along each place, the frame of each prompt,
# the weight of each kind of text.
SIGNS = """() => {
    const look = (selector, ...names) => {
        const it = document.querySelector('main code.language-console ' + selector);
        return it ? names.map((name) => getComputedStyle(it)[name]).join(' ') : null;
    };
    const places = ['here', 'second', 'inside'].map((it) => '.place.' + it);
    // A bar that has no colour is not there.
    const bar = (place) => look(place, 'borderLeftColor') === 'rgba(0, 0, 0, 0)' ? 'none' : look(place, 'borderLeftStyle');
    return {
        bars: places.map(bar),
        frames: places.map((it) => look(it + ' .prompt', 'outlineStyle')),
        typed: places.map((it) => Number(look(it + ' .typed', 'fontWeight'))),
        answered: places.map((it) => Number(look(it + ' .answer', 'fontWeight'))),
    };
}"""


def themes(page):
    return page.evaluate("[...document.querySelectorAll('#mdbook-theme-list button')].map((it) => it.id.slice(13))"
                         ".filter((it) => it !== 'default_theme')")


def choose(page, theme):
    page.evaluate("(it) => document.getElementById('mdbook-theme-' + it).click()", theme)


def are_told_apart(page):
    names = themes(page)
    assert len(names) == 5, f"the themes are {names}"
    for theme in names:
        choose(page, theme)
        signs = page.evaluate(SIGNS)
        assert signs["bars"] == ["none", "dotted", "solid"], f"{theme}: {signs}"
        assert signs["frames"] == ["none", "none", "solid"], f"{theme}: {signs}"
        assert min(signs["typed"]) >= 600 and max(signs["answered"]) <= 400, f"{theme}: {signs}"


def can_be_read(page):
    page.evaluate(Axe().axe_script)
    for theme in themes(page):
        choose(page, theme)
        found = page.evaluate("axe.run('main code.language-console', { runOnly: ['color-contrast'] })")
        pale = [node["any"][0]["message"] for it in found["violations"] for node in it["nodes"]]
        assert not pale, f"{theme}: {pale[0]}"
        seen = sum(len(it["nodes"]) for it in found["passes"])
        assert seen > 20, f"{theme}: {seen} places were looked at"
        # The bar of "inside" is no text: 3 to 1 (WCAG 1.4.11).
        ratio = page.evaluate(BAR)
        assert ratio >= 3, f"{theme}: the bar has {ratio:.1f} to 1"


BAR = """() => {
    const light = (color) => color.match(/[0-9.]+/g).slice(0, 3).map((it) => it / 255)
        .map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
        .reduce((sum, it, n) => sum + it * [0.2126, 0.7152, 0.0722][n], 0.05);
    const code = document.querySelector('main code.language-console');
    const bar = light(getComputedStyle(code.querySelector('.inside') ?? document.querySelector('main .inside'))
        .borderLeftColor);
    const paper = light(getComputedStyle(code).backgroundColor);
    return Math.max(bar, paper) / Math.min(bar, paper);
}"""


def says_the_same(page):
    # Boxes around the lines take nothing away from what is selected by hand.
    lines = page.evaluate("document.querySelectorAll('main code.language-console')[2].innerText").splitlines()
    at = lines.index("step03 # ls /")
    assert lines[at + 1].startswith("bin ") and lines[at + 2].startswith("dev "), f"{lines[at - 1:at + 4]}"
    assert lines[2:3] == ["$ cargo run -q -p step03 -- -q"], f"{lines[:3]}"


# Each with a line to spoil, on which it must fail: file, text, and what then stands there.
CHECKS = {
    copies_commands: (BUILT, "lines.filter((line) => line.isTyped", "lines.filter((line) => true"),
    copies_what_is_typed_inside: (BUILT, "|step", "|stop"),
    copies_lines_that_go_on: (BUILT, "const goesOn = isOpen", "const goesOn = !isOpen"),
    knows_every_prompt: (BUILT, r"bash-[\d.]+#|\/[^ ]* #|", ""),
    copies_all_of_other_code: (BUILT, "?? whole(pre, hidden)", '?? ""'),
    are_told_apart: (STYLE, "border-inline-start-color: var(--blind)", "color: var(--blind)"),
    can_be_read: (STYLE, ".prompt { color: var(--quiet)", ".prompt { color: var(--line)"),
    says_the_same: (BUILT, 'boxes.at(-1).append("\\n")', 'boxes.at(-1).append(" ")'),
}
