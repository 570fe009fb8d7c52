"""From a program that types in terminals to the terminals in the page.

Inside the block a program, `Bridge.program`, leads whoever starts it to the
first terminal of the page, and at the second start to the second. What it is
given becomes keys of the browser's keyboard; what the machine says on that
line comes back.
"""

import asyncio
import contextlib
import re

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
# cannot do"): process 1, the disk; the files that step10 masks, of which the small kernel has fewer, and its label;
# eth0, a cable; no IPv6; no pasta and no newuidmap.
DIFFERS = [(re.compile(ours), theirs) for ours, theirs in (
    (rb"/bin/bash /etc/init", rb"busybox sh /mnt/init"), (rb"   0 init\r", rb"   0 busybox\r"),
    (rb"/dev/ram0", rb"/dev/vda"),
    (rb"/proc, /sys: 4 masked, 5 read-only", rb"/proc, /sys: 7 masked, 5 read-only\r\n  FREE   label     unconfined"),
    (rb"eth0@if\d+( +UP +10\.0\.2\.15/24)", rb"eth0\1"), (rb"netstat: /proc/net/tcp6: No such file or directory\r\n", rb""),
    (rb"lo, no way out \(a cable takes the machine's root\)", rb"lo, eth0 with 10.0.2.15, way out 10.0.2.2"),
    (rb"uid 1000 outside, nobody else is", rb"uid 1000 outside, of 65537"),
    (rb"way out   none: a cable takes the machine's root, or pasta, which is not installed \(its package is called passt\)",
     rb"way out   by pasta, your process 2000"),
)]
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
        self.keys, self.asked = asyncio.Lock(), {}

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
        for ours, theirs in DIFFERS:
            data = ours.sub(theirs, data)
        if b"type veth" in self.asked.get(line, b""):   # which eth0 is not, on other machines
            data = re.sub(rb"eth0 +UP +10\.0\.2\.15/24 *\r\n", b"", data)
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
            self.asked[line] = data
            async with self.keys:
                await press(self.page, line, data.decode())
