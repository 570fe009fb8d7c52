// Starts the page's machine, and saves it as it is when its two shells wait.
//
//   node save.mjs V86 SEABIOS KERNEL INITRAMFS STATE
//
// V86 and SEABIOS are folders. What a reader's page sets anew (the clock, the
// randomness, the size of the terminals) is written in machine.js.
import fs from "node:fs";
import { OPTIONS } from "../src/page/options.js";

const [v86, seabios, kernel, initramfs, state] = process.argv.slice(2);
const { V86 } = await import(`${v86}/libv86.mjs`);
const file = (path) => ({ buffer: new Uint8Array(fs.readFileSync(path)).buffer });
const PATIENCE = 600_000;

const machine = new V86({
  ...OPTIONS,
  wasm_path: `${v86}/v86.wasm`,
  bios: file(`${seabios}/bios.bin`),
  vga_bios: file(`${seabios}/vgabios-stdvga.bin`),
  bzimage: file(kernel),
  initrd: file(initramfs),
  cmdline: "console=ttyS0 quiet loglevel=3 init_on_free=1 tsc=reliable ramdisk_size=65536",
});

const said = ["", "", ""];
said.forEach((_, line) => machine.add_listener(`serial${line}-output-byte`, (byte) => {
  said[line] += String.fromCharCode(byte);
  if (line === 0) process.stdout.write(String.fromCharCode(byte));
}));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(line, words) {
  const end = Date.now() + PATIENCE;
  while (!said[line].includes(words)) {
    if (Date.now() > end || said[0].includes("Kernel panic")) {
      console.error(`after ${PATIENCE / 1000} s no ${JSON.stringify(words)} on line ${line}:`, said);
      process.exit(1);
    }
    await pause(50);
  }
}
// Line 2 is root's: see machine/init.
async function ask(command) {
  said[2] = "";
  machine.serial_send_bytes(2, new TextEncoder().encode(`${command}\n`));
  await until(2, "\x1e");
  console.log(`# ${command}\n${said[2]}`);
}

// A prompt, and the mark behind it: see machine/shellrc.
await until(0, "$ \x1b]133;B\x07");
await until(1, "2$ \x1b]133;B\x07");
// What a rung would make on first need, in the middle of a transcript.
await ask("/usr/bin/setpriv --reuid=learner --regid=learner --init-groups env HOME=/home/learner USER=learner " +
  "cargo run -q -p step03 -- -q true");
await ask("sync; echo 3 >/proc/sys/vm/drop_caches");
// The kernel mixes new randomness in when somebody asks for some and the last
// time is a minute ago. After such a minute the first to ask does that: in the
// reader's page, and with what the page has put in.
await ask("sleep 70");
await machine.stop();
fs.writeFileSync(state, new Uint8Array(await machine.save_state()));
process.exit(0);
