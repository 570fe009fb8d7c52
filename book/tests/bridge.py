"""From a program that types in terminals to the terminals in the page.

Inside the block a program, `Bridge.program`, leads whoever starts it to the
first terminal of the page, and at the second start to the second. What it is
given becomes keys of the browser's keyboard; what the machine says on that
line comes back.
"""

import asyncio
import contextlib

# The way to a socket, for a program that was started on a terminal.
PROGRAM = """#!/usr/bin/env python3
import os, select, socket, sys, termios, tty
tty.setraw(0, termios.TCSANOW)   # what is typed already stays
way = socket.socket(socket.AF_UNIX)
way.connect({path!r})
while True:
    ready, _, _ = select.select([0, way], [], [])
    if way in ready:
        data = way.recv(65536)
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            break
        way.sendall(data)
"""
KEYS = {"\n": "Enter", "\r": "Enter", "\t": "Tab", "\x03": "Control+c", "\x04": "Control+d", "\x1a": "Control+z"}
# machine/init prints this when a shell has ended.
ENDED = b"\x1b]777;ended\x07"
# What the chapters say of the machine of scripts/vm, and in the page is another one by nature (page.md, "What it
# cannot do"): process 1, the disk; the files that step10 masks, of which the small kernel has fewer, and its label.
DIFFERS = {
    b"/bin/bash /etc/init": b"busybox sh /mnt/init", b"/dev/ram0": b"/dev/vda",
    b"/proc, /sys: 4 masked, 5 read-only": b"/proc, /sys: 7 masked, 5 read-only\r\n  FREE   label     unconfined",
}
# No word of the line editor's comes between: it draws a prompt more than once.
PLAIN = "exec bash --norc --noprofile --noediting -i"


async def press(page, line, text):
    """Keys, one after the other, in the terminal of this line."""
    await page.locator(".window textarea").nth(line).focus()
    for letter in text:
        key = KEYS.get(letter)
        await (page.keyboard.press(key) if key else page.keyboard.type(letter))


class Bridge:
    def __init__(self, page, folder):
        self.page, self.folder, self.writers = page, folder, []
        self.keys = asyncio.Lock()

    async def __aenter__(self):
        path = str(self.folder / "way")
        self.program = str(self.folder / "terminal")
        with open(self.program, "w", opener=lambda name, flags: __import__("os").open(name, flags, 0o755)) as file:
            file.write(PROGRAM.format(path=path))
        await self.page.expose_function("heard", self.heard)
        await self.page.evaluate("""() => [0, 1].forEach((line) => {
            let all = [];
            stage.machine.listen(line, (byte) => {
                if (!all.length) setTimeout(() => { heard(line, all); all = []; }, 5);
                all.push(byte);
            });
        })""")
        self.server = await asyncio.start_unix_server(self.typed, path)
        return self

    async def __aexit__(self, *_):
        for writer in self.writers:
            writer.close()
        self.server.close()
        await self.server.wait_closed()

    def heard(self, line, data):
        data = bytes(data)
        for ours, theirs in DIFFERS.items():
            data = data.replace(ours, theirs)
        if line >= len(self.writers):
            return
        if ENDED in data:
            self.writers[line].close()
        else:
            with contextlib.suppress(RuntimeError):
                self.writers[line].write(data)

    async def typed(self, reader, writer):
        line = len(self.writers)
        async with self.keys:
            await press(self.page, line, PLAIN + "\n")
            # What is typed before it is there goes to the editor of the other.
            await self.page.wait_for_function(f"/bash-[\\d.]+\\$ $/.test(stage.terminals.all[{line}].said)")
        self.writers.append(writer)
        while data := await reader.read(65536):
            async with self.keys:
                await press(self.page, line, data.decode())
