// The machine at the lower edge of a chapter.
import { Stage } from "./stage.js";
import { Typist } from "./type.js";
import { element, Gone } from "./terminal.js";

export class Dock {
  constructor() {
    const place = element("div");
    this.element = element("aside", { id: "dock", "aria-label": "The machine in the page" }, place);
    document.body.append(this.element);
    window.dock = this;
    this.stage = window.stage = new Stage(place);
    this.stop = element("button", { type: "button", onclick: () => this.typist?.stop() }, "Stop typing");
    this.stop.hidden = true;
    this.stage.extra = [
      this.stop,
      element("button", { type: "button", onclick: () => this.close() }, "Close"),
      element("a", { href: new URL("../page.html#what-it-cannot-do", import.meta.url).href }, "What it cannot do"),
    ];
    this.running = Promise.resolve();
  }

  // Types these lines, when those before them are through.
  run(lines) {
    return this.#next((terminals) => this.#run(terminals, lines));
  }

  // Types these commands at the prompt $; resolves with all that was said, or
  // with nothing.
  ask(commands) {
    return this.#next((terminals) => this.#ask(terminals, commands));
  }

  // One after the other. Who has closed the machine, or begun anew, meanwhile
  // does not wait for what it would have said.
  #next(act) {
    this.element.hidden = false;
    document.documentElement.classList.add("docked");
    const mine = this.running.then(async () => {
      const terminals = await this.stage.start();
      return terminals && act(terminals);
    }).catch((error) => {
      if (!(error instanceof Gone)) throw error;
    }).finally(() => { this.stop.hidden = true; });
    this.running = mine.catch(() => {});
    return mine;
  }

  async #run(terminals, lines) {
    if (this.typist?.terminals !== terminals) {
      this.typist = new Typist(terminals, (words) => this.stage.say(`Typing, and waiting for the answer: ${words}`));
    }
    this.stop.hidden = false;
    const wrong = await this.typist.run(lines);
    this.stage.say(wrong ?? "That is all of this transcript. Go on by hand, or with the next one.");
  }

  async #ask(terminals, commands) {
    const terminal = terminals.all[0];
    if (terminal.prompt() !== "$ ") {
      this.stage.say("The question is asked at the prompt $: end what runs inside first, exit.");
      return undefined;
    }
    let said = "";
    for (const command of commands) {
      this.stage.say(`Typing, and waiting for the answer: ${command}`);
      const answer = await terminal.type(command, ["$"]);
      said += `$ ${command}\n${answer.join("\n")}\n`;
    }
    this.stage.say("Asked, and answered.");
    return said;
  }

  async close() {
    await this.stage.stop();
    this.typist = undefined;
    this.element.hidden = true;
    document.documentElement.classList.remove("docked");
  }
}
