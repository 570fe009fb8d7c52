"""A page in Firefox, as far as the checks of the machine need one: the names
and their meaning are those of Playwright, which drives only a Firefox of its
own. This one is your distribution's, and it is told what to do by WebDriver
BiDi, messages of JSON on a WebSocket (RFC 6455).
"""

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
# WebDriver's names for keys that have no letter.
KEYS = {"Enter": "\ue007", "Tab": "\ue004", "Control": "\ue009", "Escape": "\ue00c"}
# Seconds: longer than any check waits for something in a page.
PATIENCE = 400
# Nothing that a new profile would do on its own account.
SETTINGS = {
    "app.update.enabled": False, "browser.startup.page": 0, "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "browser.shell.checkDefaultBrowser": False, "browser.safebrowsing.update.enabled": False,
    "services.settings.server": "data:,", "extensions.update.enabled": False,
}


class Socket:
    """A WebSocket: frames of text, masked on their way there."""

    @classmethod
    async def open(cls, address):
        host, port, path = re.match(r"ws://([^:]+):(\d+)(.*)", address).groups()
        self = cls()
        self.reader, self.writer = await asyncio.open_connection(host, int(port), limit=2**24)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write((f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        answer = await self.reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer.splitlines()[0], answer
        return self

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = bytes([0x81]) + (bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big") if size < 65536
                                else b"\xff" + size.to_bytes(8, "big"))
        self.writer.write(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    async def receive(self):
        whole = b""
        while True:
            first, size = await self.reader.readexactly(2)
            if size in (126, 127):
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            data = await self.reader.readexactly(size)
            if first & 0x0F in (0, 1):
                whole += data
                if first & 0x80:
                    return json.loads(whole)


class Firefox:
    async def __aenter__(self):
        self.folder = tempfile.TemporaryDirectory()
        settings = "".join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in SETTINGS.items())
        (Path(self.folder.name) / "user.js").write_text(settings)
        self.process = await asyncio.create_subprocess_exec(
            FIREFOX, "--headless", "--no-remote", "--profile", self.folder.name, "--remote-debugging-port", "0",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env={**os.environ, "HOME": self.folder.name})
        while not (found := re.search(r"BiDi listening on (ws://\S+)", (await self.process.stderr.readline()).decode())):
            assert self.process.returncode is None, "Firefox has ended"
        self.rest = asyncio.create_task(self.process.stderr.read())
        self.socket = await Socket.open(found[1] + "/session")
        self.answers, self.errors = {}, []
        self.hearing = asyncio.create_task(self.hear())
        await self.ask("session.new", capabilities={})
        await self.ask("session.subscribe", events=["log.entryAdded"])
        return self

    async def __aexit__(self, *_):
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.ask("browser.close"), 10)
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        await self.process.wait()
        for task in (self.hearing, self.rest):
            task.cancel()
        self.folder.cleanup()

    async def hear(self):
        while True:
            said = await self.socket.receive()
            if said.get("id") in self.answers:
                answer = self.answers.pop(said["id"])
                # Who has asked may have given up.
                if not answer.done():
                    answer.set_result(said)
            elif said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors.append(said["params"]["text"])

    async def ask(self, method, **params):
        number = len(self.answers) + time.monotonic_ns()
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        try:
            said = await asyncio.wait_for(answer, PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"Firefox does not answer {method} {params}") from None
        assert said["type"] == "success", f"{method}: {said.get('message')}"
        return said["result"]

    async def new_page(self, size):
        """In a user context of its own: what one page keeps no other finds."""
        user = (await self.ask("browser.createUserContext"))["userContext"]
        context = (await self.ask("browsingContext.create", type="tab", userContext=user))["context"]
        page = Page(self, context, user)
        await page.set_viewport_size(size)
        return page


class Page:
    def __init__(self, firefox, context, user):
        self.firefox, self.here, self.user = firefox, context, user
        self.keyboard, self.listening = self, None

    async def set_viewport_size(self, size):
        await self.firefox.ask("browsingContext.setViewport", context=self.here, viewport=size)

    async def goto(self, address):
        await self.firefox.ask("browsingContext.navigate", context=self.here, url=address, wait="complete")

    async def add_init_script(self, script):
        await self.firefox.ask("script.addPreloadScript", contexts=[self.here], functionDeclaration=f"() => {{ {script} }}")

    async def evaluate(self, words, arg=None):
        call = f"const it = ({words}); return JSON.stringify(await (typeof it === 'function' ? it({json.dumps(arg)}) : it));"
        said = await self.firefox.ask("script.evaluate", expression=f"(async () => {{ {call} }})()", awaitPromise=True,
                                      target={"context": self.here})
        assert said["type"] == "success", said["exceptionDetails"]["text"]
        return json.loads(said["result"].get("value", "null"))

    async def wait_for_function(self, words, arg=None, timeout=180_000):
        end = time.monotonic() + timeout / 1000
        while not await self.evaluate(f"async (arg) => {{ const it = ({words}); "
                                      "return Boolean(await (typeof it === 'function' ? it(arg) : it)); }", arg):
            assert time.monotonic() < end, f"Timeout {timeout}ms exceeded: {words}"
            await asyncio.sleep(0.05)

    async def expose_function(self, name, function):
        """What the page tells it is asked for, again and again."""
        await self.evaluate(f"() => {{ window.told = []; window.{name} = (...all) => {{ window.told.push(all); }}; }}")

        async def listen():
            while True:
                for all_of_it in await self.evaluate("window.told.splice(0)"):
                    function(*all_of_it)
                await asyncio.sleep(0.02)
        self.listening = asyncio.create_task(listen())

    def locator(self, selector, has_text=""):
        return Locator(self, f"[...document.querySelectorAll({json.dumps(selector)})]"
                             f".filter((it) => it.textContent.includes({json.dumps(has_text)}))", 0)

    def get_by_role(self, role, name):
        return self.locator(role, has_text=name)

    async def act(self, kind, actions):
        await self.firefox.ask("input.performActions", context=self.here,
                               actions=[{"type": kind, "id": kind, "actions": actions}])

    async def press(self, names):
        keys = [KEYS.get(name, name) for name in names.split("+")]
        await self.act("key", [{"type": "keyDown", "value": key} for key in keys]
                       + [{"type": "keyUp", "value": key} for key in reversed(keys)])

    async def type(self, text):
        for letter in text:
            await self.press(letter if letter != "+" else "\ue025")

    async def close(self):
        if self.listening:
            self.listening.cancel()
        await self.firefox.ask("browser.removeUserContext", userContext=self.user)


class Locator:
    def __init__(self, page, all_of_them, number):
        self.page, self.all, self.number = page, all_of_them, number

    def nth(self, number):
        return Locator(self.page, self.all, number)

    async def count(self):
        return await self.page.evaluate(f"{self.all}.length")

    async def inner_text(self):
        return await self.page.evaluate(f"{self.all}[{self.number}].innerText")

    def locator(self, selector):
        return Locator(self.page, f"[...{self.all}[{self.number}].querySelectorAll({json.dumps(selector)})]", 0)

    async def wait_for(self):
        await self.page.wait_for_function(f"{self.all}.length > {self.number}")

    async def focus(self):
        await self.page.evaluate(f"{self.all}[{self.number}].focus()")

    async def is_visible(self):
        return await self.page.evaluate(f"{self.all}[{self.number}]?.checkVisibility()")

    async def click(self):
        await self.page.wait_for_function(f"{self.all}[{self.number}]?.disabled === false")
        x, y = await self.page.evaluate(f"""() => {{
            const it = {self.all}[{self.number}];
            it.scrollIntoView({{ block: 'center', behavior: 'instant' }});
            const box = it.getBoundingClientRect();
            return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
        }}""")
        await self.page.act("pointer", [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0},
                                        {"type": "pointerUp", "button": 0}])
