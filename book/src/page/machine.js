// The machine in the page: a processor of one's own, of which this tab gives
// the time and the memory. It is gone with the tab.
import { Trouble } from "./loader.js";
import { OPTIONS } from "./options.js";
import { unpack } from "./unpack.js";

const WAY = "Each chapter shows what the machine would have answered; on a Linux of your own it is: cargo run -p step03.";
const MARK = "\x1e";
const PAGE = 65536;

// What the machine cannot do without: asked before anything is loaded.
export function look() {
  if (typeof WebAssembly !== "object" || typeof DecompressionStream !== "function" || typeof BigInt !== "function") {
    throw new Trouble("This browser runs no WebAssembly, or it is too old.", WAY);
  }
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch {
    throw new Trouble("WebAssembly is blocked in this browser.", WAY);
  }
  try {
    new WebAssembly.Memory({ initial: OPTIONS.memory_size / PAGE });
  } catch {
    throw new Trouble(`There is no memory for the machine: it takes ${OPTIONS.memory_size / 2 ** 20} MB.`,
      `Close other tabs, and try again. ${WAY}`);
  }
}

function fails(error) {
  throw new Trouble(`The machine does not start: ${error.message}.`, WAY);
}

export class Machine {
  // What start() needs. `find` finds a machine that was saved by save(), with
  // what its terminals showed. The program is translated while the rest arrives.
  static async load(loader, find) {
    const { manifest } = loader;
    const found = find && await find(manifest);
    const [wasm, { V86 }, packed] = await Promise.all([
      loader.unpacked("v86.wasm.gz").then((it) => WebAssembly.compile(it).catch(fails)),
      loader.module("libv86.mjs.gz"), found ? undefined : loader.bytes("state.zst"),
    ]);
    // Goes on while a processor is set up; who waits for it is told what is wrong.
    const state = found ? Promise.resolve(found.state.buffer) : unpack(wasm, packed, manifest.unpacked);
    state.catch(() => {});
    return { V86, wasm, state, screens: found?.screens, manifest };
  }

  // The machine, which runs; but see woken.
  static async start({ V86, wasm, state, screens, manifest }) {
    const machine = new Machine(manifest);
    machine.screens = screens;
    await machine.#begin(V86, wasm, state);
    machine.woken = machine.#wake();
    return machine;
  }

  constructor(manifest) {
    this.manifest = manifest;
    this.listeners = [[], [], []];
    this.asked = Promise.resolve();
  }

  async #begin(V86, wasm, state) {
    try {
      await new Promise((resolve, reject) => {
        this.v86 = new V86({
          ...OPTIONS,
          autostart: false,
          wasm_fn: (imports) => WebAssembly.instantiate(wasm, imports)
            .then((it) => it.exports).catch((error) => { reject(error); throw error; }),
        });
        this.v86.add_listener("emulator-loaded", resolve);
      });
      await this.v86.restore_state(await state);
      await this.v86.run();
    } catch (error) {
      fails(error);
    }
    this.listeners.forEach((all, line) => this.v86.add_listener(`serial${line}-output-byte`,
      (byte) => all.forEach((it) => it(byte))));
  }

  // The saved machine believes that it is still the hour when it was saved, and
  // every reader's would draw the same random numbers. See page/save.mjs. What
  // is asked later waits for this; nobody should type before.
  async #wake() {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    await this.ask(`printf %s ${Array.from(seed, (it) => it.toString(16)).join("-")} >/dev/urandom; ` +
      `date -s @${Math.floor(Date.now() / 1000)} >/dev/null; echo 2000 >/proc/sys/kernel/ns_last_pid`);
  }

  send(line, bytes) {
    this.v86.serial_send_bytes(line, bytes);
  }

  listen(line, listener) {
    this.listeners[line].push(listener);
  }

  // Has root do something that nobody sees, and returns what is said to it.
  ask(command) {
    const answer = this.asked.then(() => new Promise((resolve) => {
      let said = "";
      const listener = (byte) => {
        const letter = String.fromCharCode(byte);
        if (letter !== MARK) {
          said += letter;
          return;
        }
        this.listeners[2].splice(this.listeners[2].indexOf(listener), 1);
        resolve(new TextDecoder().decode(Uint8Array.from(said, (it) => it.charCodeAt(0))));
      };
      this.listen(2, listener);
      this.send(2, new TextEncoder().encode(`${command}\n`));
    }));
    this.asked = answer;
    return answer;
  }

  resize(line, columns, rows) {
    return this.ask(`stty -F /dev/ttyS${line} cols ${columns} rows ${rows}`);
  }

  async save() {
    return new Uint8Array(await this.v86.save_state());
  }

  async stop() {
    await this.v86.destroy();
  }
}
