"""What is tried with the machine in the page, beside the chapters. A check
that is marked `chromium` asks for what only Chromium's driver can do.
"""

import re

from bridge import press
from sizes import PHONE

# Of `page.md`.
PAGE = "page.html"
SECOND = 1000
# Chapters and other pages: where nothing of the machine is loaded before it is asked for.
READING = ("index.html", "steps/step03.html", "steps/step07.html", PAGE)


def chromium(check):
    check.chromium = True
    return check


async def open_page(page, name=PAGE):
    await page.goto(f"{page.address}/{name}")


async def click(page, name):
    await page.get_by_role("button", name=name).click()


async def at_a_prompt(page):
    await page.wait_for_function("window.stage?.took && stage.terminals.all[0].prompt()")


async def start(page):
    await open_page(page)
    await click(page, "Start the machine")
    await at_a_prompt(page)


def screen(line):
    return f"stage.terminals.all[{line}].said"


async def answers(page, line, command, words, seconds=120):
    """Types a command and waits for what is to be said."""
    await page.evaluate(f"{screen(line)} = ''")
    await press(page, line, command + "\n")
    await page.wait_for_function(f"(it) => {screen(line)}.includes(it) && stage.terminals.all[{line}].prompt()", arg=words,
                                 timeout=seconds * SECOND)


async def told(page, words):
    await page.wait_for_function("(it) => document.querySelector('.machine .word')?.textContent.includes(it)", arg=words)


async def loads_nothing_before_it_is_asked(page):
    for name in READING:
        page.asked.clear()
        await open_page(page, name)
        await page.wait_for_function("document.readyState === 'complete' && (window.stage || !document.querySelector('#linux-here'))")
        own = ("own", "stage", "machine", "loader", "options", "sha256", "terminal", "unpack", "terminals", "prompts", "keep")
        allowed = {f"/page/{it}.js" for it in own} if name == PAGE else set()
        wrong = [it for it in page.asked if it.startswith("/page/") and it not in allowed]
        assert not wrong, f"{name} has asked for {wrong}"
    # The control: who asks gets it.
    await click(page, "Start the machine")
    await at_a_prompt(page)
    assert "/page/machine/state.zst" in page.asked, page.asked


async def two_terminals_show_one_machine(page):
    await start(page)
    await answers(page, 0, "cargo run -q -p step07 -- -q", "step07 ")
    await answers(page, 0, "hostname cellar; hostname", "cellar")
    await answers(page, 1, "hostname", "vm")
    await answers(page, 0, "exit", "$ ")


# What the buttons of a chapter type at the shells' own prompts.
TYPED = """() => [...window.transcripts].filter(([code]) => code.parentElement.nextElementSibling?.matches("button.here"))
    .flatMap(([, lines]) => lines.filter((it) => it.isTyped && /^\\d?\\$ $/.test(it.prompt)).map((it) => it.words))"""
BEGIN = r"(?:^|[|;&(]|\b(?:do|then|while|until|if|sudo)\b)\s*(?:\w+=\S* )*([a-z][\w.-]*)(?=\s|$)"
QUOTED = """'[^']*'|"[^"]*\""""


@chromium
async def has_what_the_chapters_call(page):
    typed = ""
    for step in range(12):
        await open_page(page, f"steps/step{step:02}.html")
        typed += "\n".join(await page.evaluate(TYPED)) + "\n"
    called = set(re.findall(BEGIN, re.sub(QUOTED, "''", typed), re.MULTILINE)) - set(re.findall(r"alias (\w+)=", typed))
    assert {"pgrep", "ipcrm", "capsh"} <= called, f"the control: {called}"
    await start(page)
    names = " ".join(sorted(called))
    await answers(page, 0, f"for it in {names}; do type $it >/dev/null 2>&1 || echo =$it; done; echo ==", "\n==")
    said = await page.evaluate(screen(0))
    missing = re.findall(r"^=(\w\S*)", said, re.MULTILINE)
    assert not missing, f"the chapters call {missing}"


async def kills_who_takes_too_much(page):
    await start(page)
    hog = "sh -c 'dd if=/dev/zero bs=1M count=40 | tail -c 40000000 | wc -c'; echo =$?"
    await answers(page, 0, f"cargo run -q -p step07 -- -q --memory 16M {hog}", "=137", 180)
    # The control: with more memory it is not killed.
    await answers(page, 0, f"cargo run -q -p step07 -- -q --memory 128M {hog}", "40000000", 180)


async def gives_a_tenth_of_the_processor(page):
    """A ratio of what the kernel counts in the same machine; no time of day."""
    await start(page)
    shares = []
    for cpus in ("0.1", "1"):
        loop = "sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'"
        await answers(page, 0, f"cargo run -q -p step07 -- -q --cpus {cpus} time -f '=%e %U' {loop}", "=", 180)
        await answers(page, 0, f"cargo run -q -p step07 -- --cpus {cpus} {loop} 2>&1 | grep -oE 'throttled [0-9]+'", "throttled", 180)
        shares.append(int(re.findall(r"throttled (\d+)", await page.evaluate(screen(0)))[-1]))
    assert shares[0] > 10 * max(1, shares[1]), f"throttled so often: {shares}"


async def begins_anew(page):
    await start(page)
    await answers(page, 0, "touch /tmp/mine; ls /tmp", "mine")
    await click(page, "Reset")
    await at_a_prompt(page)
    await answers(page, 0, "ls /tmp/mine", "No such file")


async def goes_on_with_what_was_kept(page):
    await start(page)
    await answers(page, 0, "cargo run -q -p step03 -- -q", "step03 #")
    await answers(page, 0, "echo letter >/tmp/mine; cat /tmp/mine", "letter")
    await click(page, "Keep")
    await told(page, "keeps the machine")
    await start(page)
    await answers(page, 0, "cat /tmp/mine", "No such file")
    await open_page(page)
    await click(page, "Go on with")
    # In the container, with what the terminal showed, and with the shell's history.
    await page.wait_for_function("window.stage?.terminals?.all[0].prompt() === 'step03 # '")
    assert "letter" in await page.evaluate("stage.terminals.all[0].shown")
    await answers(page, 0, "cat /tmp/mine", "letter")
    await answers(page, 0, "exit", "$ ")
    await page.evaluate(f"{screen(0)} = ''")
    await press(page, 0, "\x10")
    await page.wait_for_function(f"{screen(0)}.includes('cargo run -q -p step03')")
    await click(page, "Forget")
    await told(page, "nothing of the machine")
    await open_page(page)
    await page.get_by_role("button", name="Start the machine").wait_for()
    assert not await page.evaluate("[...document.querySelectorAll('.bar button')].some((it) => it.textContent.startsWith('Go on'))")


@chromium
async def needs_no_network_when_it_is_loaded(page):
    await start(page)
    await page.context.set_offline(True)
    await answers(page, 0, "cargo run -q -p step03 -- -q hostname", "box")
    await click(page, "Reset")
    await at_a_prompt(page)
    await answers(page, 0, "cargo run -q -p step03 -- -q hostname", "box")


async def draws_other_numbers_each_time(page):
    drawn = []
    for _ in range(2):
        await start(page)
        await answers(page, 0, "cat /proc/sys/kernel/random/uuid; echo =$((1+1))", "=2")
        drawn.append(re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", await page.evaluate(screen(0)))[0])
    assert drawn[0] != drawn[1], f"the numbers are {drawn}"


async def knows_the_time(page):
    await start(page)
    await answers(page, 0, "date +=%s; echo =$((1+1))", "=2")
    said = int(re.search(r"=(\d{9,})", await page.evaluate(screen(0)))[1])
    now = await page.evaluate("Date.now() / 1000")
    assert abs(now - said) < 600, f"{said}, and it is {now}"


async def fits_a_telephone(page):
    await page.set_viewport_size(PHONE)
    await start(page)
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"
    key = page.locator(".keys button", has_text="Ctrl-C")
    assert await key.is_visible(), "no row of keys"
    await press(page, 0, "sleep 1000\n")
    await key.click()
    await answers(page, 0, "echo =$((1+1))", "=2")
    # Ctrl holds for the one key that follows: Ctrl-C once more.
    await press(page, 0, "sleep 1000\n")
    await page.locator(".keys button[aria-pressed], .keys button:nth-child(3)").nth(0).click()
    await answers(page, 0, "c", "^C")
    await answers(page, 0, "echo =$((1+2))", "=3")


async def can_be_read_aloud(page):
    await start(page)
    await click(page, "Screen reader")
    await answers(page, 0, "echo =$((1+1))", "=2")
    await page.wait_for_function("document.querySelector('.window .xterm-accessibility')?.innerText.includes('=2')")


async def lets_the_keyboard_out(page):
    await start(page)
    inside = "Boolean(document.activeElement.closest('.window'))"
    await page.locator(".window textarea").nth(1).focus()
    await page.keyboard.press("Tab")
    assert await page.evaluate(inside), "Tab belongs to the shell"
    await page.keyboard.press("Escape")
    await page.keyboard.press("Tab")
    assert not await page.evaluate(inside), "Escape and Tab lead out"


async def wears_the_theme(page):
    await start(page)
    ground = "getComputedStyle(document.querySelector('.xterm-scrollable-element')).backgroundColor"
    light = await page.evaluate(ground)
    await page.evaluate("document.getElementById('mdbook-theme-navy').click()")
    await page.wait_for_function(f"(it) => {ground} !== it", arg=light)


CHECKS = [
    loads_nothing_before_it_is_asked, has_what_the_chapters_call, two_terminals_show_one_machine,
    kills_who_takes_too_much,
    gives_a_tenth_of_the_processor, begins_anew, goes_on_with_what_was_kept, needs_no_network_when_it_is_loaded,
    draws_other_numbers_each_time, knows_the_time, fits_a_telephone, can_be_read_aloud, lets_the_keyboard_out,
    wears_the_theme,
]
