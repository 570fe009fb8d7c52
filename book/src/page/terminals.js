// Two terminals on the machine in the page, beside each other: the one in
// which containers are started, and the view from outside.
import { colours, COUNT, element, Terminal } from "./terminal.js";

const KEYS = [
  ["Esc", "\x1b"], ["Tab", "\t"], ["Ctrl", null], ["Ctrl-C", "\x03"], ["Ctrl-D", "\x04"],
  ["↑", "\x1b[A", "up"], ["↓", "\x1b[B", "down"], ["←", "\x1b[D", "left"], ["→", "\x1b[C", "right"],
  ["|", "|", "pipe"], ["/", "/", "slash"], ["-", "-", "minus"], ["~", "~", "tilde"], ["$", "$", "dollar"],
];

export class Terminals {
  // Their parts, of xterm.js.
  static async load(loader) {
    const [{ Terminal: Xterm }, { FitAddon }, style] = await Promise.all([
      loader.module("xterm.mjs.gz"), loader.module("addon-fit.mjs.gz"), loader.unpacked("xterm.css.gz"),
    ]);
    if (!document.getElementById("xterm-style")) {
      document.head.append(element("style", { id: "xterm-style" }, new TextDecoder().decode(style)));
    }
    return { Terminal: Xterm, FitAddon };
  }

  constructor(machine, place, parts, isRead) {
    this.all = Array.from({ length: COUNT }, (_, line) => new Terminal(machine, line, parts, isRead));
    place.replaceChildren(element("div", { class: "terminals" }, ...this.all.map((it) => it.element)), this.#keys());
    this.all.forEach((it) => it.open());
    this.last = this.all[0];
    this.all.forEach((it) => it.xterm.textarea.addEventListener("focus", () => { this.last = it; }));
    this.sizes = new ResizeObserver(() => this.adapt());
    this.sizes.observe(place);
    this.themes = new MutationObserver(() => this.all.forEach((it) => { it.xterm.options.theme = colours(); }));
    this.themes.observe(document.documentElement, { attributeFilter: ["class"] });
  }

  greet() {
    return Promise.all(this.all.map((it) => it.greet()));
  }

  // The keys that a telephone's keyboard has not.
  #keys() {
    const row = element("div", { class: "keys", role: "toolbar", "aria-label": "keys for the terminal" });
    for (const [label, data, name] of KEYS) {
      const key = element("button", { type: "button", "aria-label": name ?? label }, label);
      // The terminal keeps the focus, and a telephone its keyboard.
      key.addEventListener("pointerdown", (event) => event.preventDefault());
      key.addEventListener("click", () => {
        if (data === null) this.#hold(key);
        else this.last.press(data);
        this.last.xterm.focus();
      });
      row.append(key);
    }
    return row;
  }

  // Ctrl, for the one key that follows.
  #hold(key) {
    key.setAttribute("aria-pressed", "true");
    const held = (data) => {
      key.setAttribute("aria-pressed", "false");
      this.all.forEach((it) => { it.held = null; });
      return /^[a-z@-_]$/i.test(data) ? String.fromCharCode(data.toUpperCase().charCodeAt(0) & 31) : data;
    };
    this.all.forEach((it) => { it.held = held; });
  }

  async adapt() {
    for (const it of this.all) await it.adapt();
  }

  read(isRead) {
    this.all.forEach((it) => { it.xterm.options.screenReaderMode = isRead; });
  }

  close() {
    this.sizes.disconnect();
    this.themes.disconnect();
    this.all.forEach((it) => it.close());
  }
}
