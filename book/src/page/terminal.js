// One terminal on a line of the machine in the page.
import { answered, plain, promptAtEnd } from "./prompts.js";

const SAYS = [
  ["inside", "your terminal ($), and the container that you start in it"],
  ["outside", "a second terminal (2$) on the same machine"],
];
export const COUNT = SAYS.length;
const WIDTH = 80;
// What the fit addon leaves for it, in px.
const BAR = 15;
// What is remembered of what a terminal has shown, in letters.
const LONG = 100_000;
const BLANK = 0x20;
const BELL = 0x07;

// What was waited for does not come any more: the machine was stopped.
export class Gone extends Error {}

export function element(tag, options = {}, ...children) {
  const it = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name.startsWith("on")) it.addEventListener(name.slice(2), value);
    else it.setAttribute(name, value);
  }
  it.append(...children);
  return it;
}

// The book's colours, as they are now.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { background: of("--paper"), foreground: of("--ink"), cursor: of("--blind"), cursorAccent: of("--paper"),
    selectionBackground: of("--blind-paper") };
}

export class Terminal {
  constructor(machine, line, parts, isRead) {
    this.machine = machine;
    this.line = line;
    const [name, what] = SAYS[line];
    this.name = name;
    // What it has shown lately; and what since something was typed by type().
    this.shown = this.said = "";
    this.waiting = [];
    this.xterm = new parts.Terminal({
      cols: WIDTH, rows: 24, fontSize: 13, fontFamily: '"Source Code Pro", Consolas, "DejaVu Sans Mono", monospace',
      theme: colours(), screenReaderMode: isRead, scrollback: 2000, minimumContrastRatio: 4.5, tabStopWidth: 8,
    });
    this.fit = new parts.FitAddon();
    this.xterm.loadAddon(this.fit);
    this.box = element("div", { class: "screen" });
    this.element = element("section", { class: `window ${name}`, "aria-label": `${name}: ${what}` },
      element("p", { class: "label" }, element("b", {}, name), ` ${what}`), this.box);
  }

  open() {
    this.xterm.open(this.box);
    this.xterm.textarea.setAttribute("aria-label", `${this.name}: type here`);
    // Tab belongs to the shell; by Escape and then Tab a keyboard gets out.
    this.xterm.attachCustomKeyEventHandler((event) => {
      if (event.key !== "Tab") {
        if (event.type === "keydown") this.isLeaving = event.key === "Escape";
        return true;
      }
      return !this.isLeaving;
    });
    this.xterm.onData((data) => this.press(data));
    this.machine.listen(this.line, (byte) => this.#hear(byte));
    const utf8 = new TextDecoder();
    this.decode = (byte) => utf8.decode(Uint8Array.of(byte), { stream: true });
  }

  #hear(byte) {
    this.xterm.write(Uint8Array.of(byte));
    const letter = this.decode(byte);
    this.shown += letter;
    this.said += letter;
    if (this.shown.length > 2 * LONG) this.shown = this.shown.slice(-LONG);
    if (this.said.length > 2 * LONG) this.said = this.said.slice(-LONG);
    // A prompt ends with a blank, or with the mark behind one.
    if (byte !== BLANK && byte !== BELL) return;
    this.waiting = this.waiting.filter((it) => {
      const found = it.look();
      if (found) it.resolve(found);
      return !found;
    });
  }

  // What it showed before the machine was kept.
  show(text) {
    this.shown = text;
    this.said = text;
    this.xterm.write(text);
  }

  press(data) {
    this.machine.send(this.line, new TextEncoder().encode(this.held ? this.held(data) : data));
  }

  async adapt() {
    // A transcript's lines are up to 80 letters long, beside the bar that scrolls; none should be too small to read.
    const font = Math.max(10, Math.min(14, Math.floor((this.box.clientWidth - BAR) / WIDTH / 0.61)));
    if (font !== this.xterm.options.fontSize) this.xterm.options.fontSize = font;
    const size = this.fit.proposeDimensions();
    if (!size || !size.cols || (size.cols === this.xterm.cols && size.rows === this.xterm.rows && this.isSized)) return;
    this.isSized = true;
    this.xterm.resize(Math.max(20, size.cols), Math.max(5, size.rows));
    await this.machine.resize(this.line, this.xterm.cols, this.xterm.rows);
  }

  // The prompt that it shows, or nothing while something runs.
  prompt() {
    return promptAtEnd(this.said)?.prompt;
  }

  whenPrompt() {
    return this.#when(() => promptAtEnd(this.said));
  }

  // A shell that was saved at its prompt says it again.
  greet() {
    this.said = "";
    this.press("\r");
    return this.#when(() => answered(this.said, "", { isOwn: true }));
  }

  // Types a line at a prompt, and returns what is answered before the next. That
  // may be one of `awaited`, as a transcript shows them.
  async type(words, awaited = []) {
    const prompt = await this.whenPrompt();
    this.said = "";
    this.press(`${words}\r`);
    const { before } = await this.#when(() => answered(this.said, words, prompt, awaited));
    return plain(before).split("\n").slice(1).map((it) => it.trimEnd());
  }

  // What is found at the moment when it is there: the shell may go on to draw.
  #when(look) {
    const found = look();
    return found ? Promise.resolve(found) : new Promise((resolve, reject) => this.waiting.push({ look, resolve, reject }));
  }

  close() {
    this.waiting.forEach((it) => it.reject(new Gone()));
    this.waiting = [];
    this.xterm.dispose();
  }
}
