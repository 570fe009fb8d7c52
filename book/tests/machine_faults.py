"""What the page says where there can be no machine: one sentence, and the way
on; and nothing on the console.
"""

from machine_checks import PAGE, chromium, click, open_page, told

WAY = {
    "runs no WebAssembly": "cargo run", "is blocked": "cargo run", "no memory": "Close other tabs", "checksum": "Load the page again",
    "does not answer": "network", "no machine in it": "scripts/book page",
}


async def starts_not(page, words):
    """The sentence, the way on, and a button for another try."""
    await page.get_by_role("button", name="Start the machine").wait_for()
    await click(page, "Start the machine")
    await told(page, words)
    await told(page, WAY[words])
    await page.wait_for_function("document.querySelector('.begin')?.disabled === false")


async def tells_a_missing_webassembly(page):
    await page.add_init_script("delete globalThis.WebAssembly")
    await open_page(page)
    await starts_not(page, "runs no WebAssembly")


@chromium
async def tells_a_forbidden_webassembly(page):
    async def forbid(route):
        answer = await route.fetch()
        await route.fulfill(response=answer, headers={
            **answer.headers, "content-security-policy": "script-src 'self' 'unsafe-inline' blob:"})
    await page.route("**/page.html", forbid)
    await open_page(page)
    await starts_not(page, "is blocked")
tells_a_forbidden_webassembly.errors = ["Content Security Policy", "Content-Security-Policy"]


async def tells_an_old_browser(page):
    await page.add_init_script("delete globalThis.DecompressionStream")
    await open_page(page)
    await starts_not(page, "runs no WebAssembly")


async def tells_too_little_memory(page):
    await page.add_init_script("""WebAssembly.Memory = function () { throw new RangeError('could not allocate memory'); };""")
    await open_page(page)
    await starts_not(page, "no memory")


@chromium
async def tells_a_file_that_is_spoilt(page):
    async def spoil(route):
        answer = await route.fetch()
        body = bytearray(await answer.body())
        body[len(body) // 2] ^= 1
        await route.fulfill(response=answer, body=bytes(body))
    for name in ("state.zst", "v86.wasm.gz", "xterm.mjs.gz"):
        await page.route(f"**/{name}", spoil)
        await open_page(page)
        await starts_not(page, "checksum")
        await told(page, name)
        await page.unroute(f"**/{name}")
    # It is not kept: the next try has what is right.
    await click(page, "Start the machine")
    await page.wait_for_function("window.stage?.terminals?.all[0].prompt()")


@chromium
async def tells_a_server_that_has_gone(page):
    await open_page(page)
    await page.wait_for_function("window.stage")
    await page.context.set_offline(True)
    await starts_not(page, "does not answer")
tells_a_server_that_has_gone.errors = ["ERR_INTERNET_DISCONNECTED", "Failed to load"]


@chromium
async def tells_a_book_without_a_machine(page):
    async def missing(route):
        await route.fulfill(status=404)
    await page.route("**/manifest.json", missing)
    await open_page(page)
    await starts_not(page, "no machine in it")
    await open_page(page, "steps/step03.html")
    await page.locator("pre + button.here").nth(0).click()
    await told(page, "scripts/book page")
tells_a_book_without_a_machine.errors = ["404"]


@chromium
async def tells_a_page_that_is_a_file(page):
    for name, button in ((PAGE, None), ("steps/step03.html", "pre + button.here")):
        await page.goto((page.site / name).as_uri())
        if button:
            await page.locator(button).nth(0).click()
        words = await page.inner_text(".here-word")
        assert "http.server" in words, words


@chromium
async def says_what_it_would_show_without_a_script(page):
    context = await page.context.browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    await plain.goto(f"{page.address}/{PAGE}")
    words = await plain.inner_text("#linux-here")
    await plain.goto(f"{page.address}/steps/step03.html")
    buttons = await plain.locator("button.here").count()
    await context.close()
    assert "inside" in words and "outside" in words, words
    assert not buttons, "a button that does nothing"


CHECKS = [
    tells_a_missing_webassembly, tells_a_forbidden_webassembly, tells_an_old_browser, tells_too_little_memory,
    tells_a_file_that_is_spoilt, tells_a_server_that_has_gone, tells_a_book_without_a_machine, tells_a_page_that_is_a_file,
    says_what_it_would_show_without_a_script,
]
