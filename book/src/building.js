// The page "the building": shows what was recorded (generated/building-data.js)
// for the choice that the reader makes. No answer is computed here.
"use strict";
(function () {
  const root = document.getElementById("building");
  const data = BUILDING;
  const RUNGS = 12;
  const IDS = data.primitives.map((it) => it.id);
  let worn = new Set();

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // What is recorded for this choice. The kernel refuses one combination
  // altogether: the mounter of proc must own the PID namespace that it shows.
  function isRefused(on) {
    return on.has("mount") && on.has("user") && !on.has("pid");
  }
  function answer(view, on) {
    return view.says[view.on.map((id) => (on.has(id) ? "1" : "0")).join("")];
  }
  function wornBy(rung) {
    return new Set(data.primitives.filter((p) => p.rung <= rung).map((p) => p.id));
  }
  function equal(one, other) {
    return one.size === other.size && [...one].every((id) => other.has(id));
  }
  function name(id) {
    return data.primitives.find((p) => p.id === id).name;
  }
  function stepName(rung) {
    return "step" + String(rung).padStart(2, "0");
  }

  // The choice in words, as in the address: "step03", or "pid,mount".
  function words(on) {
    return IDS.filter((id) => on.has(id)).join(",") || stepName(0);
  }
  // The choice that such words name; null where they are the name of a heading.
  function chosen(text) {
    const rung = /^step(\d\d)$/.exec(text);
    if (rung) return Number(rung[1]) < RUNGS ? wornBy(Number(rung[1])) : null;
    const ids = text.split(",");
    if (!ids.every((id) => IDS.includes(id))) return null;
    return new Set(ids.includes("overlay") ? [...ids, "mount"] : ids);
  }

  function button(text, press) {
    const it = make("button", { type: "button" }, text);
    it.addEventListener("click", press);
    return it;
  }
  const rungs = Array.from({ length: RUNGS }, (_, rung) =>
    button(stepName(rung), () => choose(stepName(rung), stepName(rung) + ". ")));
  const presets = make("fieldset", { class: "presets" }, make("legend", {}, "As in"), ...rungs);

  // The page has the experiments in words, for who has no JavaScript.
  const inWords = document.querySelector(".in-words");
  const experiments = [...inWords.querySelectorAll("[data-on]")].map((title) => {
    const on = title.dataset.on, told = title.closest("li").cloneNode(true);
    const it = button(title.textContent.replace(/\.$/, ""), () => choose(on, "", told, new Set()));
    it.dataset.on = on;
    return it;
  });
  inWords.classList.add("told");
  const tries = make("fieldset", { class: "presets tries" },
    make("legend", {}, "What to try (first say what you expect)"), ...experiments);

  const boxes = {};
  const toggles = make("fieldset", { class: "wardrobe" }, make("legend", {}, "Put on"));
  for (const p of data.primitives) {
    const box = make("input", { type: "checkbox", id: "wear-" + p.id });
    boxes[p.id] = box;
    toggles.append(make("label", { for: "wear-" + p.id, title: p.does }, box, make("b", { class: p.kind }, p.name)));
    box.addEventListener("change", () => toggle(p.id, box.checked));
  }

  const said = make("div", { role: "status", "aria-live": "polite", class: "said" });
  const columns = [make("div"), make("div")];
  const news = make("div", { class: "cards news" }, ...columns);
  const rest = make("div", { class: "cards" });
  const restTitle = make("summary", {}, "What it answers to everything else");
  root.replaceChildren(presets, tries, make("div", { class: "stand" },
    make("div", { class: "dressing" }, HOUSE.make(data.kernel), toggles),
    make("div", { class: "answers" }, said, news)),
    make("details", { class: "rest" }, restTitle, rest));

  // A card for each subject: what is asked inside, and below that outside.
  const cards = new Map();
  for (const view of data.views) {
    if (!cards.has(view.card)) {
      const outside = make("div", { class: "outside" });
      const element = make("section", { class: "card" }, make("h2", {}, view.card), outside);
      cards.set(view.card, { element, outside, views: [], title: view.card });
    }
    const card = cards.get(view.card), output = make("samp");
    const prompt = make("kbd", {}, (view.outside ? "host $ " : "$ ") + view.command);
    const text = make("pre", {}, prompt, "\n", output);
    card.views.push({ view, output, text });
    if (view.outside) card.outside.append(text);
    else card.outside.before(text);
  }
  for (const card of cards.values()) {
    if (!card.outside.childElementCount) card.outside.remove();
  }
  const refusal = make("section", { class: "card refusal" },
    make("h2", {}, "The kernel refuses"),
    make("pre", {}, make("samp", {}, data.refusal.trimEnd())),
    make("p", {}, "/proc shows one PID namespace, and only root of the user namespace that owns it " +
      "may mount it. Root of a new user namespace owns no PID namespace but a new one: put that on too."));

  function toggle(id, isOn) {
    const next = new Set(worn);
    let note = "";
    if (isOn) {
      next.add(id);
      if (id === "overlay" && !next.has("mount")) {
        next.add("mount");
        note = ", and mount namespace on, for an overlay is mounted in a root of one's own";
      }
    } else {
      next.delete(id);
      if (id === "mount" && next.delete("overlay")) note = ", and overlayfs with it";
    }
    const does = data.primitives.find((p) => p.id === id).does;
    choose(words(next), `${name(id)} ${isOn ? `on: ${does}` : "off"}${note}. `);
  }

  // A choice of the reader's: the address has it, and the way back is the
  // browser's.
  function choose(text, what, told, since) {
    if (decodeURIComponent(location.hash.slice(1)) !== text) history.pushState(null, "", "#" + text);
    change(text, what, told, since);
  }
  function fromAddress() {
    const text = decodeURIComponent(location.hash.slice(1)) || stepName(0);
    if (chosen(text)) change(text, text.startsWith("step") ? text + ". " : `On: ${text.replaceAll(",", ", ")}. `);
  }

  // Shows the choice, beside what stood there before, and says in words what
  // differs. Whatever differs comes first.
  function change(text, what, told, since = worn) {
    const next = chosen(text), refused = isRefused(next);
    const changed = [];
    // What the words of an experiment speak of is shown as well.
    const spoken = told ? [...told.querySelectorAll("code")].map((it) => it.textContent) : [];
    for (const card of cards.values()) {
      let differs = false;
      for (const { view, output, text } of card.views) {
        const isSame = isRefused(since) || answer(view, since) === answer(view, next);
        text.classList.toggle("same", isSame && !spoken.some((it) => view.command.startsWith(it)));
        differs = differs || !isSame;
        output.textContent = refused ? "" : answer(view, next).trimEnd() || "(no output)";
      }
      if (differs && !refused) changed.push(card);
    }
    const isFirst = equal(next, since);
    const shown = refused ? [] : isFirst ? [...cards.values()].slice(0, 2) : changed;
    for (const card of cards.values()) {
      card.element.classList.toggle("changed", changed.includes(card));
      (shown.includes(card) ? columns[0] : rest).append(card.element);
    }
    refusal.remove();
    if (refused) columns[0].append(refusal);
    place(shown);
    rest.parentElement.hidden = refused || !rest.childElementCount;
    worn = next;
    for (const [id, box] of Object.entries(boxes)) box.checked = worn.has(id);
    // step11 wears what step10 does: the name decides, and else the first.
    const its = rungs.findIndex((it, rung) => stepName(rung) === text);
    const rung = its >= 0 ? its : rungs.findIndex((it, rung) => equal(worn, wornBy(rung)));
    rungs.forEach((it, number) => it.setAttribute("aria-pressed", String(number === rung)));
    experiments.forEach((it) => it.setAttribute("aria-pressed", String(equal(worn, chosen(it.dataset.on)))));
    HOUSE.draw(worn, refused);
    tell(what, told, refused ? "The kernel refuses: no process is made."
      : isRefused(since) ? "The process stands again."
      : changed.length ? "Changed: " + changed.map((it) => it.title).join(", ") + "."
      : isFirst ? "" : "Nothing that is asked here has changed.", rung);
  }

  // Two columns, the higher cards first, each into the shorter one. Where there
  // are many, each shows only what has changed in it, until all is unfolded.
  function place(shown) {
    news.classList.toggle("crowded", shown.length > 2);
    news.classList.toggle("two", shown.length > 1);
    if (root.clientWidth < 600) return;
    const elements = shown.map((card) => ({ element: card.element, height: card.element.offsetHeight }));
    const heights = [0, 0];
    for (const { element, height } of elements.sort((one, other) => other.height - one.height)) {
      const shorter = heights[0] <= heights[1] ? 0 : 1;
      heights[shorter] += height;
      columns[shorter].append(element);
    }
  }

  function tell(what, told, changes, rung) {
    said.replaceChildren(...(told ? told.cloneNode(true).childNodes : [what]), " " + changes);
    if (rung < 0) return;
    if (rung === 0) said.append(" Nothing is put on: this is a process like any other.");
    const offset = rung >= 9 && rung < 11 ? " -- --boottime-offset 864000" : "";
    const command = make("code", {}, `cargo run -p ${stepName(rung)}${rung === 11 ? " -- run --name web" : offset}`);
    const line = make("span", { class: "command" }, "On your machine: ", command);
    if (rung === 11) {
      line.prepend("It wears what step10 wears. What is new: a second process puts the same on. ");
      line.append(", and beside it ", make("code", {}, "cargo run -p step11 -- exec web"));
    }
    said.append(line);
  }

  // Who can try it on need not read the table as well.
  document.querySelector(".all-pairs").open = false;
  change(stepName(0), "");
  if (location.hash) fromAddress();
  window.addEventListener("popstate", fromAddress);
})();
