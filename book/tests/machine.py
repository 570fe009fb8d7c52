"""Tests of the Linux in the page, as a reader meets it: in Chromium and in
Firefox, typed by the keyboard.

    python book/tests/machine.py target/book target/debug/typist
    python book/tests/machine.py target/book target/debug/typist step07     only what has this word in its name
    python book/tests/machine.py target/book target/debug/typist firefox:   only in Firefox

`scripts/book page --check` calls it. Each chapter's "See it" is typed by the
book's typist, who compares the answers with the page (`typist replay
--through`): it believes to have two terminals, and what it types becomes the
keys of a keyboard in the browser. Exit status: 0, 1 for complaints, 2 where
nothing could be tested.
"""

import asyncio
import functools
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import machine_checks
import machine_docks
import machine_faults
import machine_measure
import sizes
from bridge import Bridge
from browsers import ALL, CHROMIUM
from server import serve

PART = "See it"
# One rung in Firefox: the machine is the same, what differs is the browser.
ENOUGH = "step03"


# Whole lines that are others in the page: step08's filter is one for another processor.
OTHERS = {"step08": r"\d+ (ld|ret|jeq|jge|jgt|jset) "}


def is_by_nature(step, said):
    """Does typist complain of such lines, and of no others?"""
    lines = [line[1:] for line in said.splitlines() if re.match(r"[-+](?![-+])", line)]
    return step in OTHERS and lines and all(re.match(OTHERS[step], line) for line in lines)


async def chapter(page, step, typist):
    """Types a chapter's "See it" into the page; what typist complains of."""
    if hasattr(page, "set_viewport_size"):   # room for two terminals of 80 columns, as the transcripts have them
        await page.set_viewport_size(sizes.WALL)
    await machine_checks.start(page)
    with tempfile.TemporaryDirectory() as folder:
        async with Bridge(page, Path(folder)) as bridge:
            process = await asyncio.create_subprocess_exec(
                typist, "replay", "--through", bridge.program, "--part", PART, f"steps/{step}.md",
                stderr=asyncio.subprocess.PIPE)
            _, said = await process.communicate()
    assert process.returncode == 0 or is_by_nature(step, said.decode()), "\n" + said.decode()


def checks(browser, typist):
    """By name."""
    of = lambda check, step: functools.partial(check, step=step)
    found = {}
    for step in machine_docks.STEPS:
        if browser.has_all or step == ENOUGH:
            found[f"{step} typed"] = functools.partial(chapter, step=step, typist=typist)
            found[f"{step} by its buttons"] = of(machine_docks.types_its_transcripts, step)
    for step in machine_docks.ASKED:
        found[f"{step} predicted"] = of(machine_docks.answers_its_questions, step)
    for check in (machine_docks.stops_typing_and_begins_anew, *machine_checks.CHECKS, *machine_faults.CHECKS,
                  *machine_measure.CHECKS):
        if browser.has_all or not getattr(check, "chromium", False):
            found[check.__name__] = check
    return found


SEEN = """[document.querySelector('.machine .word')?.textContent, ...(window.stage?.terminals?.all ?? [])
    .map((it) => it.said.slice(-600))]"""


async def seen(page):
    """What a reader would see, for whoever looks for the cause."""
    try:
        return await page.evaluate(SEEN)
    except Exception as error:
        return f"nothing: {error}"


async def attempt(browser, name, check, **facts):
    """What is wrong, or nothing."""
    start = time.monotonic()
    page = await browser.page()
    for fact, value in facts.items():
        setattr(page, fact, value)
    try:
        await check(page)
        expected = getattr(check, "errors", ())
        wrong = [it for it in page.said if not any(words in it for words in expected)]
        assert not wrong, f"the console says: {wrong}"
        print(f"machine: {browser.name}: {name}: {time.monotonic() - start:.0f} s", flush=True)
        return None
    except Exception as error:
        print(f"machine: {browser.name}: {name}: COMPLAINT: {error}", flush=True)
        print(f"machine: the page says {await seen(page)}", flush=True)
        return error
    finally:
        await browser.close(page)


async def main():
    site = Path(sys.argv[1]).resolve()
    typist = str(Path(sys.argv[2]).resolve())
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    if not (site / "page/machine/manifest.json").is_file():
        print("machine: the book has no machine in it; scripts/book page makes one", file=sys.stderr)
        return 2
    if not CHROMIUM:
        print("machine: there is no Chromium here, and so nothing was tested: sudo apt install chromium", file=sys.stderr)
        return 2

    start, tried, faults, asked = time.monotonic(), 0, 0, []
    with serve(site, asked) as address:
        for kind in ALL:
            async with kind() as browser:
                for name, check in checks(browser, typist).items():
                    if word in f"{browser.name.lower()}: {name}":
                        tried += 1
                        faults += await attempt(browser, name, check, address=address, asked=asked, site=site) is not None
    if len(ALL) == 1:
        print("machine: Firefox was NOT TRIED, there is none here: sudo apt install firefox-esr", file=sys.stderr)
    print(f"machine: {tried} checks, {faults} complaints, {time.monotonic() - start:.0f} s")
    return 1 if faults or not tried else 0


if __name__ == "__main__":
    os.environ.pop("DEBUG", None)
    sys.exit(asyncio.run(main()))
