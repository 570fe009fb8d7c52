// Where the machine stands in a page of the book: nothing is loaded before the
// reader asks for it. The page "In the page" has it in its midst, a chapter at
// its lower edge.
import { Loader, Trouble } from "./loader.js";
import { look, Machine } from "./machine.js";
import { element } from "./terminal.js";
import { Terminals } from "./terminals.js";
import { forget, isKept, keep, kept } from "./keep.js";

const BASE = new URL("machine/", import.meta.url);
const button = (text, onclick, options) => element("button", { type: "button", onclick, ...options }, text);
// A browser may forbid a page to remember anything.
const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* then not */ } };

export class Stage {
  constructor(place) {
    this.screens = element("div", { class: "screens" });
    this.word = element("p", { class: "word", role: "status" });
    this.isRead = remembered("page-read") === "yes";
    this.bar = element("div", { class: "bar", role: "toolbar", "aria-label": "the machine" });
    place.classList.add("machine");
    place.replaceChildren(this.bar, this.word, this.screens);
    this.#buttons();
  }

  // Resolves with the terminals, or with nothing where there is no machine:
  // then it has said why.
  start(isKept = false) {
    this.starting ??= this.#begin(isKept);
    return this.starting;
  }

  #begin(isKept) {
    const begun = this.#start(isKept);
    // Who stops it meanwhile waits until there is something to be stopped.
    this.settled = begun.then(() => {}, () => {});
    return begun.catch(async (error) => {
      await this.stop();
      this.#tell(error);
    });
  }

  async #start(isKept) {
    const from = performance.now();
    this.bar.querySelectorAll(".begin").forEach((it) => { it.disabled = true; });
    this.say("Loading…");
    const report = (share) => this.say(`Loading: ${Math.round(share * 100)} %`);
    look();
    const loader = await Loader.open(BASE, report);
    const [parts, xterm] = await Promise.all([Machine.load(loader, isKept ? kept : undefined), Terminals.load(loader)]);
    this.machine = await Machine.start(parts);
    this.terminals = new Terminals(this.machine, this.screens, xterm, this.isRead);
    const { screens } = this.machine;
    if (screens) this.terminals.all.forEach((it, line) => it.show(screens[line]));
    await this.terminals.adapt();
    await this.machine.woken;
    if (!screens) await this.terminals.greet();
    this.took = performance.now() - from;
    await this.#buttons();
    this.say(`Linux ${this.machine.manifest.kernel} runs in this tab.`);
    this.terminals.all[0].xterm.focus({ preventScroll: true });
    return this.terminals;
  }

  // What may be done now.
  async #buttons() {
    const more = await isKept() ? [
      button("Go on with the kept one", () => this.reset(true), { class: "begin" }),
      button("Forget", () => this.forget()),
    ] : [];
    if (!this.terminals) {
      const start = button("Start the machine", () => this.start(), { class: "begin" });
      start.disabled = Boolean(this.starting);
      this.bar.replaceChildren(start, ...more);
      return;
    }
    const read = button("Screen reader", () => {
      this.isRead = !this.isRead;
      remember("page-read", this.isRead ? "yes" : "no");
      read.setAttribute("aria-pressed", String(this.isRead));
      this.terminals.read(this.isRead);
    }, { "aria-pressed": String(this.isRead) });
    this.bar.replaceChildren(button("Reset", () => this.reset()), button("Keep", () => this.keep()), ...more, read,
      ...(this.extra ?? []), element("a", { href: new URL("sources.html", BASE).href }, "Licences and sources"));
  }

  // A new machine; or the one that was kept.
  async reset(isKept = false) {
    await this.stop();
    return this.start(isKept);
  }

  async stop() {
    await this.settled;
    this.terminals?.close();
    await this.machine?.stop();
    this.machine = this.terminals = this.starting = this.took = undefined;
    this.screens.replaceChildren();
    await this.#buttons();
    this.say("");
  }

  async keep() {
    this.say("Keeping…");
    try {
      const screens = this.terminals.all.map((it) => it.shown);
      const bytes = await keep(await this.machine.save(), screens, this.machine.manifest);
      await this.#buttons();
      this.say(`This browser keeps the machine as it is now: ${Math.ceil(bytes / 2 ** 20)} MB.`);
    } catch (error) {
      this.say(`This browser keeps nothing: ${error.message}.`);
    }
  }

  async forget() {
    await forget();
    await this.#buttons();
    this.say("This browser has nothing of the machine any more.");
  }

  say(text) {
    this.word.textContent = text;
  }

  #tell(error) {
    this.word.replaceChildren(element("b", {}, error.message), " ", error instanceof Trouble ? error.way : "");
    if (!(error instanceof Trouble)) console.error(error);
  }
}
