// Fetches what scripts/page has made, and takes nothing that is not as its
// manifest says.
import { sha256 } from "./sha256.js";

// What a reader is told: what is wrong, in one sentence, and the way on.
export class Trouble extends Error {
  constructor(what, way) {
    super(what);
    this.way = way;
  }
}

const AGAIN = "Load the page again; if it says so again, the copy of this book is damaged.";

// What has arrived, for whoever begins anew without a network.
const arrived = new Map();

export class Loader {
  // `report` is told the share that has arrived, from 0 to 1.
  static async open(base, report) {
    if (location.protocol === "file:") {
      throw new Trouble("A browser loads a machine from a web server only, and this page is a file.",
        "In the folder of the book: python3 -m http.server, and then open http://localhost:8000/page.html.");
    }
    const loader = new Loader(base, report);
    if (!arrived.has(String(base))) arrived.set(String(base), await loader.#manifest());
    loader.manifest = arrived.get(String(base));
    loader.all = Object.values(loader.manifest.files).reduce((sum, it) => sum + it.bytes, 0);
    return loader;
  }

  constructor(base, report) {
    this.base = base;
    this.report = report;
    this.arrived = 0;
  }

  async #manifest() {
    const answer = await this.ask("manifest.json");
    if (answer.status === 404) {
      throw new Trouble("This copy of the book has no machine in it.", "Whoever built it makes one by: scripts/book page.");
    }
    return answer.json();
  }

  async ask(name) {
    try {
      return await fetch(new URL(name, this.base));
    } catch {
      throw new Trouble("The server of this page does not answer.", "Is there a network? Then load the page again.");
    }
  }

  // The bytes of a file, compared with the manifest.
  async bytes(name) {
    if (!arrived.has(name)) arrived.set(name, await this.#bytes(name));
    return arrived.get(name);
  }

  async #bytes(name) {
    const wanted = this.manifest.files[name];
    const answer = await this.ask(name);
    if (!answer.ok) throw new Trouble(`The server has no ${name}.`, AGAIN);
    const bytes = new Uint8Array(wanted.bytes);
    let length = 0;
    const reader = answer.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      // What is too much has no place, and its length is seen below.
      if (length + next.value.length <= bytes.length) bytes.set(next.value, length);
      length += next.value.length;
      this.arrived += next.value.length;
      this.report(Math.min(1, this.arrived / this.all));
    }
    if (length !== wanted.bytes || await sha256(bytes) !== wanted.sha256) {
      throw new Trouble(`${name} is not what this book was built with: its checksum is another one.`, AGAIN);
    }
    return bytes;
  }

  // The same, unpacked.
  async unpacked(name) {
    const stream = new Blob([await this.bytes(name)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async module(name) {
    const address = URL.createObjectURL(new Blob([await this.unpacked(name)], { type: "text/javascript" }));
    try {
      return await import(address);
    } finally {
      URL.revokeObjectURL(address);
    }
  }
}
