// The page "the building": shows what was recorded (generated/building-data.js)
// for the choice that the reader makes. No answer is computed here.
"use strict";
(function () {
  const root = document.getElementById("building");
  const data = BUILDING;
  const RUNGS = 11;
  const worn = new Set();

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

  // The drawing. Each piece has a class of its own and is shown by "on".
  const WINDOWS = [
    ["uts", "name"], ["pid", "processes"], ["mount", "files"], ["network", "network"],
    ["user", "users"], ["ipc", "ipc"], ["cgroupns", "groups"], ["time", "clock"],
  ];
  function drawnWindow([id, word], number) {
    const x = 22 + (number % 4) * 91, y = 34 + Math.floor(number / 4) * 48;
    const slats = [8, 15, 22, 29].map((dy) =>
      `<path class="slat" d="M${x + 4} ${y + dy}h75"/>`).join("");
    return `<g class="window piece-${id}"><rect class="pane" x="${x}" y="${y}" width="83" height="37" rx="2"/>
      ${slats}<rect class="plate" x="${x + 6}" y="${y + 9}" width="71" height="19" rx="2"/>
      <text x="${x + 41.5}" y="${y + 23}" text-anchor="middle">${word}</text></g>`;
  }
  function person(x) {
    return `<g class="other"><circle cx="${x}" cy="176" r="9"/><path d="M${x - 13} 213v-12a13 13 0 0 1 26 0v12"/></g>`;
  }
  function drawing() {
    return `<svg viewBox="0 0 400 250" role="img" aria-labelledby="building-title building-desc">
      <title id="building-title">The building, and the process in it</title>
      <desc id="building-desc"></desc>
      <path class="building" d="M8 214V24L200 6L392 24V214Z"/>
      ${WINDOWS.map(drawnWindow).join("")}
      <rect class="glass piece-overlay" x="200" y="30" width="91" height="45" rx="4"/>
      ${[42, 92, 308, 358].map(person).join("")}
      <g class="self">
        <path class="skin" d="M174 213v-16a26 22 0 0 1 52 0v16"/>
        <circle class="skin" cx="200" cy="161" r="16"/>
        <g class="eyes"><circle cx="194" cy="159" r="2"/><circle cx="206" cy="159" r="2"/></g>
        <path class="mouth" d="M194 169h12"/>
        <path class="crown" d="M188 143l-3 -12l8 6l7 -9l7 9l8 -6l-3 12z"/>
        <rect class="band" x="182" y="159" width="36" height="0" rx="2"/>
        <rect class="gag piece-seccomp" x="189" y="166" width="22" height="6" rx="2"/>
        <g class="piece-cgroup cuffs"><path class="chain" d="M189 203h22"/>
          <circle cx="185" cy="203" r="5"/><circle cx="215" cy="203" r="5"/></g>
      </g>
      <path class="nobody" d="M174 213v-16a26 22 0 0 1 52 0v16M184 161a16 16 0 1 1 32 0a16 16 0 1 1 -32 0"/>
      <text class="inside-pid" x="236" y="166"></text>
      <rect class="slab" x="2" y="214" width="396" height="32" rx="2"/>
      <text x="200" y="235" text-anchor="middle">one kernel: Linux ${data.kernel}</text>
    </svg>`;
  }

  const figure = make("figure", { class: "picture house" });
  figure.innerHTML = drawing();
  const caption = make("figcaption");
  figure.append(caption);

  const boxes = {};
  const toggles = make("fieldset", { class: "wardrobe" }, make("legend", {}, "Put on"));
  for (const p of data.primitives) {
    const box = make("input", { type: "checkbox", id: "wear-" + p.id });
    boxes[p.id] = box;
    const words = make("span", {}, make("b", { class: p.kind }, p.name), make("small", {}, p.does));
    toggles.append(make("label", { for: "wear-" + p.id }, box, words));
    box.addEventListener("change", () => toggle(p.id, box.checked));
  }
  const presets = make("fieldset", { class: "presets" }, make("legend", {}, "As in"));
  const buttons = [];
  for (let rung = 0; rung < RUNGS; rung++) {
    const button = make("button", { type: "button" }, stepName(rung));
    button.addEventListener("click", () => change(wornBy(rung), stepName(rung) + ". "));
    buttons.push(button);
    presets.append(button);
  }
  const said = make("p", { role: "status", "aria-live": "polite", class: "said" });
  const list = make("div", { class: "cards" });
  root.replaceChildren(
    presets, make("div", { class: "stand" }, figure, toggles), said,
    make("h3", {}, "What it sees, and what the machine sees of it"), list);

  // A card for each subject: what is asked inside, and below that outside.
  const cards = new Map();
  for (const view of data.views) {
    if (!cards.has(view.card)) {
      const mark = make("span", { class: "mark" });
      const outside = make("div", { class: "outside" });
      const element = make("section", { class: "card" }, make("h4", {}, view.card, mark), outside);
      list.append(element);
      cards.set(view.card, { element, outside, mark, views: [], title: view.card });
    }
    const card = cards.get(view.card), output = make("samp");
    const prompt = make("kbd", {}, (view.outside ? "host $ " : "$ ") + view.command);
    const text = make("pre", {}, prompt, "\n", output);
    card.views.push({ view, output });
    if (view.outside) card.outside.append(text);
    else card.outside.before(text);
  }
  for (const card of cards.values()) {
    if (!card.outside.childElementCount) card.outside.remove();
  }
  const refusal = make("section", { class: "card refusal" },
    make("h4", {}, "The kernel refuses"),
    make("pre", {}, make("samp", {}, data.refusal.trimEnd())),
    make("p", {}, "/proc shows one PID namespace, and only root of the user namespace that owns it " +
      "may mount it. Root of a new user namespace owns no PID namespace but a new one: put that on too."));
  list.prepend(refusal);

  function toggle(id, isOn) {
    const next = new Set(worn);
    let note = "";
    if (isOn) {
      next.add(id);
      if (id === "overlay" && !next.has("mount")) {
        next.add("mount");
        note = "and mount namespace on, for an overlay is mounted in a root of one's own";
      }
    } else {
      next.delete(id);
      if (id === "mount" && next.delete("overlay")) {
        note = "and overlayfs with it";
      }
    }
    change(next, name(id) + (isOn ? " on" : " off") + (note && ", " + note) + ". ");
  }

  // Shows the new choice, and says in words what it has changed.
  function change(next, what) {
    const wasRefused = isRefused(worn);
    worn.clear();
    next.forEach((id) => worn.add(id));
    const refused = isRefused(worn);
    const changed = [];
    for (const card of cards.values()) {
      let differs = false;
      for (const { view, output } of card.views) {
        const shown = (refused ? "" : answer(view, worn)).trimEnd() || "(no output)";
        differs = differs || (output.textContent !== "" && output.textContent !== shown);
        output.textContent = shown;
      }
      card.element.hidden = refused;
      card.element.classList.toggle("changed", differs);
      card.mark.textContent = differs ? " changed" : "";
      if (differs) changed.push(card.title);
    }
    refusal.hidden = !refused;
    for (const [id, box] of Object.entries(boxes)) box.checked = worn.has(id);
    let rung = -1;
    buttons.forEach((button, number) => {
      const isIt = equal(worn, wornBy(number));
      button.setAttribute("aria-pressed", String(isIt));
      if (isIt) rung = number;
    });
    draw(refused);
    let text = what;
    if (refused) text += "The kernel refuses: no process is made.";
    else if (wasRefused) text += "The process stands again.";
    else if (changed.length) text += "Changed: " + changed.join(", ") + ".";
    else text += "Nothing that is asked here has changed.";
    said.replaceChildren(text);
    if (rung >= 0) {
      const flag = rung >= 9 ? " -- --boottime-offset 864000" : "";
      said.append(make("span", { class: "command" }, "On your machine: ",
        make("code", {}, `cargo run -p ${stepName(rung)}${flag}`)));
    }
  }

  function draw(refused) {
    const svg = figure.querySelector("svg");
    for (const p of data.primitives) {
      svg.querySelectorAll(".piece-" + p.id).forEach((piece) =>
        piece.classList.toggle("on", worn.has(p.id)));
    }
    const shut = WINDOWS.filter(([id]) => worn.has(id)).length;
    svg.classList.toggle("refused", refused);
    svg.classList.toggle("blindfolded", shut > 0);
    svg.classList.toggle("paper-crown", worn.has("user"));
    svg.classList.toggle("no-crown", worn.has("caps"));
    const height = shut ? 4 + shut : 0, band = svg.querySelector(".band");
    band.setAttribute("height", height);
    band.setAttribute("y", 159 - height / 2);
    svg.querySelector(".inside-pid").textContent =
      refused ? "refused" : worn.has("pid") ? "“I am 1”" : "";
    const parts = refused ? ["The place is empty"] : [
      `${shut} of ${WINDOWS.length} windows shut`,
      worn.has("cgroup") ? "hands cuffed" : "hands free",
      worn.has("seccomp") ? "mouth gagged" : "no gag",
      worn.has("caps") ? "no crown" : worn.has("user") ? "a paper crown: root in here only" : "root's crown",
    ];
    caption.textContent = parts.join(", ") + ".";
    svg.querySelector("desc").textContent = caption.textContent;
  }

  change(new Set(), "");
  said.replaceChildren("Nothing is put on yet: this is step00, a process like any other.");
})();
