// What stays the same when a transcript is typed anew, for lines that name
// processes: the numbers are taken from the machine's answer. As typist does
// it (book/typist/src/numbers.rs).
const NUMBER = /\b\d+\b/g;
const MEANT = new Set([4096, 8000, 8080, 8192, 16384, 32768, 65534, 65535, 65536]);
const isProcess = (it) => it >= 2000 && it < 100000 && !MEANT.has(it);
// What varies beside them, and its name (book/typist/src/varies.rs).
const VARIES = [
  [/\b40265\d{5}\b/g, "NAMESPACE"], [/\b[0-9a-f]{64}\b/g, "DIGEST"],
  [/\b\d{4}-\d\d-\d\d\b|\b[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+|\b[A-Z][a-z]{2} +\d{1,2}\b/g, "DATE"],
  [/\b\d+:\d\d(:\d\d)?(\.\d+)?\b/g, "TIME"], [/\b\d+(\.\d+)? ?(ms|s|µs|seconds?)\b/g, "DURATION"],
  [/\b10\.77\.\d+\.\d+\b/g, "ADDRESS"], [/\bbox\d+\b/g, "CABLE"], [/workshop\/\d+-\d+/g, "GROUP"],
  [/\b\d+(\.\d+){2}([-+~][-+~.\w]*)?/g, "RELEASE"],
];
const rest = (line) => VARIES.reduce((it, [form, name]) => it.replace(form, name), line)
  .replace(NUMBER, (it) => isProcess(Number(it)) ? "N" : it).split(/\s+/).filter(Boolean).join(" ");
const processes = (line) => (line.match(NUMBER) ?? []).map(Number).filter(isProcess);

export class Numbers {
  known = new Map();

  // Lines of the page's answer beside those of the machine's.
  learn(page, machine) {
    const lines = [page, machine].map((it) => it.filter((line) => line.trim()));
    lines[0].forEach((line, at) => {
      const other = lines[1][at];
      if (other === undefined || rest(line) !== rest(other)) return;
      const found = processes(other);
      processes(line).forEach((number, i) => this.known.set(number, found[i]));
    });
  }

  typed(words) {
    return words.replace(NUMBER, (it) => String(this.known.get(Number(it)) ?? it));
  }
}
