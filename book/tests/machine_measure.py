"""What is measured and printed: bytes, times, memory. Times are not judged:
they belong to the machine on which this runs, and to its other work.
"""

import json
import time
from pathlib import Path

from machine_checks import answers, chromium, start

BUDGET = 8_000_000
MEMORY = 300 * 2**20
RUNGS = ("step01", "step03", "step07", "step10")


def told(words):
    print(f"machine: measured: {words}", flush=True)


async def took(page):
    return await page.evaluate("Math.round(stage.took)")


async def is_small(page):
    """All that a reader downloads for the machine, as it travels."""
    files = json.loads((page.site / "page/machine/manifest.json").read_text())["files"]
    size = sum(it["bytes"] for it in files.values())
    for name, it in sorted(files.items(), key=lambda it: -it[1]["bytes"]):
        told(f"{it['bytes']:9} bytes {name}")
    told(f"{size:9} bytes in all, {size / BUDGET:.3f} of what is allowed")
    assert size <= BUDGET, f"{size} bytes, and {BUDGET} are allowed"


async def is_quick(page):
    for which in ("cold", "warm", "warm"):
        await start(page)
        told(f"{which}: a prompt after {await took(page)} ms")
    for rung in RUNGS:
        begin = time.monotonic()
        await answers(page, 0, f"cargo run -q -p {rung} -- -q true; echo =$((1+1))", "=2")
        typed = time.monotonic()
        await answers(page, 0, f"true cargo run -q -p {rung} -- -q true; echo =$((1+1))", "=2")
        told(f"{rung} inside: {(typed - begin) - (time.monotonic() - typed):.2f} s more than what the shell does itself")


@chromium
async def is_quick_at_20_megabits(page):
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.clearBrowserCache")
    await session.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 20, "downloadThroughput": 20e6 / 8, "uploadThroughput": 20e6 / 8})
    await start(page)
    told(f"20 Mbit/s, 20 ms away: a prompt after {await took(page)} ms")


def memory_of(processes):
    """Bytes: what they have alone, and their share of what they have with others (proc(5), smaps_rollup)."""
    found = 0
    for process in processes:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return found


async def takes_little_memory(page):
    await page.goto(f"{page.address}/page.html")
    before = memory_of(await page.processes())
    await start(page)
    await answers(page, 0, "cargo run -q -p step07 -- -q true; echo =$((1+1))", "=2")
    for when in ("as it is", "without garbage"):
        more = memory_of(await page.processes()) - before
        told(f"memory of the tab, {when}: {more / 2**20:.0f} MiB more with the machine")
        await page.collect()
    told(f"memory of the tab: {more / MEMORY:.2f} of the aim, 300 MiB")


CHECKS = [is_small, is_quick, is_quick_at_20_megabits, takes_little_memory]
