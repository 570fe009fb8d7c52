// "Run it here": a button at each transcript that the machine in the page can
// answer. All that belongs to the machine is loaded when one is pressed first.
"use strict";
(function () {
  // print.html is one page with all of them.
  if (document.querySelectorAll("main h1").length !== 1) return;
  // path_to_root is mdBook's.
  const folder = new URL(`${path_to_root}page/`, document.baseURI);
  const own = document.getElementById("linux-here");
  // What a reader is told where not even that can be loaded.
  const FILE = "A browser loads a machine from a web server only, and this page is a file. In the folder of the book: " +
    "python3 -m http.server, and then open http://localhost:8000/page.html.";
  const OLD = "What runs the machine in the page could not be loaded: no network, or an old browser. " +
    "The transcript shows what the machine would answer.";
  async function load(name) {
    if (location.protocol === "file:") throw new Error(FILE);
    try {
      return await import(new URL(name, folder));
    } catch {
      throw new Error(OLD);
    }
  }

  function told(error, after) {
    const word = document.createElement("p");
    word.className = "here-word";
    word.setAttribute("role", "status");
    word.textContent = error.message;
    if (after.nextElementSibling?.className === word.className) after.nextElementSibling.remove();
    after.after(word);
  }

  if (own) {
    load("own.js").catch((error) => {
      own.querySelector(".old").remove();
      told(error, own);
    });
    return;
  }

  let dock;
  async function docked() {
    const { Dock } = await load("dock.js");
    return dock ??= new Dock();
  }

  function button(text, act) {
    const it = document.createElement("button");
    it.type = "button";
    it.className = "here";
    it.textContent = text;
    it.addEventListener("click", async () => {
      it.disabled = true;
      try {
        await act(it);
      } catch (error) {
        told(error, it);
      } finally {
        it.disabled = false;
      }
    });
    return it;
  }

  // The questions of "Predict", of which the machine can answer some.
  const chapter = /(step\d\d)\.html$/.exec(location.pathname)?.[1];
  const questions = document.querySelector("#predict")?.parentElement.querySelector("#predict ~ ol");
  const asked = ["step00", "step01", "step02", "step05", "step06", "step07", "step09", "step10", "step11"];
  if (questions && asked.includes(chapter)) {
    questions.after(button("Answer here, and ask the kernel", async (it) => {
      const { predict } = await load("predict.js");
      predict(chapter, questions, async (commands) => (await docked()).ask(commands));
      it.remove();
    }));
  }

  // What the buttons are, once in a chapter.
  const heading = document.getElementById("see-it");
  if (heading && chapter && chapter < "step12") {
    const word = document.createElement("p");
    const link = document.createElement("a");
    link.href = new URL("page.html", new URL(path_to_root, document.baseURI)).href;
    link.textContent = "a Linux in this page";
    word.className = "here-what";
    word.append("No machine at hand? ", Object.assign(document.createElement("em"), { textContent: "Run it here" }),
      " types a transcript into ", link, ".");
    heading.after(word);
  }

  // In the chapters only: other pages speak of machines of other kinds. What is
  // for a newer kernel than 6.1, for Docker, or calls what is not in the page's
  // machine, is not asked of it.
  const MISSING = /\b(strace|perl|curl|findmnt)\b/;
  const isMissing = (line) => line.isTyped && MISSING.test(line.words);
  for (const [code, lines] of chapter && chapter < "step12" ? window.transcripts : []) {
    if (lines.some(isMissing) || code.matches(".docker, .host") || [...code.classList].some((it) => /^[\d.]+$/.test(it))) continue;
    code.parentElement.after(button("Run it here", async () => (await docked()).run(lines)));
  }
})();
