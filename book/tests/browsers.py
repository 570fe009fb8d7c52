"""The browsers in which the machine in the page is tried. Each gives pages
that have `address`, `asked`, `site`, `said`, `processes()` and `collect()`
(garbage, where its driver can) beside what Playwright has.
"""

import asyncio
import contextlib
import functools
import shutil
from pathlib import Path

from firefox import FIREFOX, Firefox
from sizes import DESK

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--no-first-run",
]
PATIENCE = 180_000


class InChromium:
    name, has_all = "Chromium", True

    async def __aenter__(self):
        from playwright.async_api import async_playwright
        self.playwright = await async_playwright().start()
        self.browser = await self.playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        return self

    async def __aexit__(self, *_):
        await self.browser.close()
        await self.playwright.stop()

    async def page(self):
        context = await self.browser.new_context(viewport=DESK)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.said = []
        page.on("console", lambda it: it.type == "error" and page.said.append(it.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.processes, page.collect = self.processes, functools.partial(self.collect, page)
        return page

    async def collect(self, page):
        session = await page.context.new_cdp_session(page)
        await session.send("HeapProfiler.collectGarbage")
        await session.detach()

    async def processes(self):
        session = await self.browser.new_browser_cdp_session()
        found = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        await session.detach()
        return [it["id"] for it in found if it["type"] == "renderer"]

    async def close(self, page):
        await page.context.close()


def family(process):
    """A process and all below it; who has ended meanwhile has none."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                yield from family(child)


class InFirefox:
    name, has_all = "Firefox", False

    async def __aenter__(self):
        self.browser = await Firefox().__aenter__()
        return self

    async def __aexit__(self, *all_of_it):
        await self.browser.__aexit__(*all_of_it)

    async def page(self):
        page = await self.browser.new_page(DESK)
        self.browser.errors.clear()
        page.said, page.processes, page.collect = self.browser.errors, self.processes, lambda: asyncio.sleep(0)
        return page

    # Whichever of them has the tab: all are made by a process that does nothing else.
    async def processes(self):
        return list(family(self.browser.process.pid))

    async def close(self, page):
        await page.close()


ALL = [it for it, program in ((InChromium, CHROMIUM), (InFirefox, FIREFOX)) if program]
