// Types a transcript into the terminals, as a reader would: each line when the
// prompt is there again.
import { Numbers } from "./numbers.js";
import { isSame } from "./prompts.js";

export class Typist {
  // `report` is told each line that is typed.
  constructor(terminals, report) {
    this.terminals = terminals;
    this.report = report;
    this.numbers = new Numbers();
  }

  // `lines` are those of console.js. Returns what stopped it, or nothing.
  async run(lines) {
    const stopped = new Promise((resolve) => { this.stop = () => resolve("Stopped. The terminals are yours."); });
    let page = [];
    let machine = [];
    for (const [at, line] of lines.entries()) {
      if (!line.isTyped) {
        page.push(line.words);
        continue;
      }
      this.numbers.learn(page, machine);
      page = [];
      const terminal = this.latest = this.#terminal(line);
      const wrong = this.#differs(line, terminal);
      if (wrong) return wrong;
      const words = this.numbers.typed(line.words);
      this.report(words);
      const awaited = lines.slice(at + 1).filter((it) => it.isTyped).map((it) => it.prompt);
      machine = await Promise.race([terminal.type(words, awaited), stopped]);
      if (typeof machine === "string") return machine;
    }
    this.numbers.learn(page, machine);
    return undefined;
  }

  // A container may have been started in either: it is the one with its prompt,
  // and first the one that was typed in last.
  #terminal(line) {
    const [first, second] = this.terminals.all;
    if (line.place !== "inside") return line.place === "second" ? second : first;
    const both = this.latest === second ? [second, first] : [first, second];
    return both.find((it) => isSame(line.prompt, it.prompt() ?? "")) ?? both[0];
  }

  #differs(line, terminal) {
    const wanted = line.prompt.trim();
    const shown = terminal.prompt()?.trim();
    if (!shown) return `Something runs in the terminal "${terminal.name}": end it first.`;
    if (isSame(wanted, shown)) return undefined;
    const way = /^step|^#|^\//.test(wanted) ? "run the transcript before it first." : "leave that shell first: exit.";
    return `This begins at the prompt ${wanted}, and the terminal "${terminal.name}" shows ${shown}: ${way}`;
  }
}
