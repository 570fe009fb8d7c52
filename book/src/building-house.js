// The drawing of the page "the building": a process in it, with what it wears.
// Each piece has a class of its own and is shown by "on".
"use strict";
const HOUSE = (function () {
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
  function drawing(kernel) {
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
      <text x="200" y="235" text-anchor="middle">one kernel: Linux ${kernel}</text>
    </svg>`;
  }

  const figure = document.createElement("figure");
  figure.className = "picture house";
  const caption = document.createElement("figcaption");

  function make(kernel) {
    figure.innerHTML = drawing(kernel);
    figure.append(caption);
    return figure;
  }

  function draw(worn, refused) {
    const svg = figure.querySelector("svg");
    svg.querySelectorAll("[class*=piece-]").forEach((piece) => {
      const id = /piece-(\w+)/.exec(piece.getAttribute("class"))[1];
      piece.classList.toggle("on", worn.has(id));
    });
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

  return { make, draw };
})();
