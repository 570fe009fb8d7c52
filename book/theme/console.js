// A transcript has two sides: what is typed, and what is answered; and it is
// typed in one of three places: in your terminal ($), in a second one (2$), or
// inside (step03 #). Each line gets its classes here, and whoever copies a
// transcript gets what is typed, without the prompts.
"use strict";
(function () {
  // A shell of root's (bash-5.2#) is your terminal, too; that of a busybox whose
  // prompt nobody has set (/ #) is inside.
  const PROMPT = /^(2?\$|bash-[\d.]+#|\/[^ ]* #|step\d\d(?: \([^)]*\))? [#$])(?: (.*))?$/;
  const placeOf = (prompt) => prompt === "2$" ? "second" : /^[$b]/.test(prompt) ? "here" : "inside";

  // Each line of a transcript: where, whether it is typed, after what prompt.
  function read(text) {
    let place = "here";
    let isOpen = false;
    return text.replace(/\n$/, "").split("\n").map((line) => {
      const found = PROMPT.exec(line);
      // Only what is typed goes on with "> "; an answer may begin with it.
      const goesOn = isOpen && /^>(?: |$)/.test(line);
      if (found) place = placeOf(found[1]);
      isOpen = Boolean(found) || goesOn;
      if (!isOpen) return { place, isTyped: false, prompt: "", words: line };
      const prompt = found ? found[1] : ">";
      const words = line.slice(prompt.length + 1);
      return { place, isTyped: true, goesOn, prompt: line.slice(0, line.length - words.length), words };
    });
  }

  function element(tag, name, ...children) {
    const it = document.createElement(tag);
    it.className = name;
    it.append(...children);
    return it;
  }

  // Lines of one place stand in one box. No box ends with a line feed: the end
  // of a box is one already, for the eye and for what is selected.
  function show(code, lines) {
    const boxes = [];
    lines.forEach((line, number) => {
      if (number > 0 && lines[number - 1].place === line.place) boxes.at(-1).append("\n");
      else boxes.push(element("span", `place ${line.place}`));
      if (line.isTyped) {
        const prompt = element("span", "prompt", line.prompt.trimEnd());
        const blank = line.prompt.slice(line.prompt.trimEnd().length);
        boxes.at(-1).append(prompt, blank, element("b", "typed", line.words));
      } else boxes.at(-1).append(element("span", "answer", line.words));
    });
    code.replaceChildren(...boxes);
  }

  const typed = new Map();
  // For "run it here" (here.js).
  window.transcripts = new Map();
  for (const code of document.querySelectorAll("main pre > code.language-console")) {
    const lines = read(code.textContent);
    if (!lines.some((line) => line.isTyped)) continue;
    const commands = lines.filter((line) => line.isTyped && (line.words || line.goesOn));
    typed.set(code, commands.map((line) => line.words + "\n").join(""));
    window.transcripts.set(code, lines);
    show(code, lines);
  }

  // mdBook's copy buttons ask this function of its own for what to copy.
  const whole = window.playground_text;
  window.playground_text = (pre, hidden) => typed.get(pre.querySelector("code")) ?? whole(pre, hidden);
})();
