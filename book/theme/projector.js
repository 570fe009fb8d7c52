// The page on a projector: one thing at a time, in large type. A section gives
// its heading, the first sentence, its questions, its pictures and its
// transcripts; all other prose is for who reads. Begun by "p", by the button
// at the top, or by an address that ends with "?projector".
"use strict";
(function () {
  const main = document.querySelector("main");
  const bar = document.querySelector(".right-buttons");
  // print.html is one page with all of them.
  if (!main || !bar || main.querySelectorAll("h1").length !== 1) return;
  const html = document.documentElement;
  const SIZES = [34, 30, 26, 23, 20, 18];
  const THINGS = "figure.picture, picture, img.poster, pre, #building";
  const isThing = (it) => it.matches(THINGS) || it.querySelector(":scope > :is(picture, img.poster)");
  const asks = (it) => it.matches("ol, ul") && it.textContent.includes("?");
  let slides = [];
  let now = -1;

  // What comes after the first sentence of a paragraph is put aside.
  function shorten(paragraph) {
    if (paragraph.querySelector(".aside")) return;
    const walker = document.createTreeWalker(paragraph, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const end = text.parentElement.closest("code") ? null : /[.?!:][)"”]?(?=\s|$)/.exec(text.data);
      if (!end) continue;
      const range = document.createRange();
      range.setStart(text, end.index + end[0].length);
      range.setEndAfter(paragraph.lastChild);
      const aside = document.createElement("span");
      aside.className = "aside";
      aside.append(range.extractContents());
      paragraph.append(aside);
      return;
    }
  }

  // The slides of one section: the heading is on each of them.
  function section(heading, elements) {
    const isIntro = heading.matches("h1");
    const lead = elements.find((it) => it.matches("p") && !isThing(it));
    if (lead) shorten(lead);
    const things = elements.filter(isThing).map((it) => [heading, it]);
    // Of a list without questions, the first sentence of each point.
    const tells = (it) => it.matches("ol, ul") && (isIntro || !things.length);
    const lists = elements.filter((it) => asks(it) || tells(it));
    lists.filter((it) => !asks(it)).forEach((it) => [...it.children].forEach(shorten));
    const first = [heading, lead, ...lists].filter(Boolean);
    const folded = elements.filter((it) => it.matches("details"));
    // A picture or something short stands beside the words.
    const isShort = things.length && things[0][1].textContent.trim().split("\n").length <= 10;
    if (isShort && !lists.length) first.push(things.shift()[1]);
    return [first, ...things, ...(folded.length ? [[heading, ...folded]] : [])];
  }

  function read() {
    const found = [];
    let heading = null, elements = [];
    const close = () => heading && found.push(...section(heading, elements));
    for (const element of main.children) {
      if (element.matches("h1, h2")) {
        close();
        [heading, elements] = [element, []];
      } else if (element.matches(".in-words")) continue;
      else elements.push(element);
    }
    close();
    return found;
  }

  const place = document.createElement("p");
  place.id = "projector-place";
  place.setAttribute("role", "status");
  function show(number) {
    now = Math.min(Math.max(number, 0), slides.length - 1);
    for (const element of main.children) element.classList.toggle("now", slides[now].includes(element));
    const id = slides[now][0].id;
    history.replaceState(null, "", `${location.pathname}?projector#${id}`);
    place.textContent = `${now + 1} of ${slides.length}`;
    window.scrollTo(0, 0);
    for (const size of SIZES) {
      html.style.setProperty("--projected", size + "px");
      if (html.scrollHeight <= window.innerHeight) break;
    }
  }

  function start() {
    if (!slides.length) slides = read();
    slides.flat().forEach((it) => it.classList.add("shown"));
    html.classList.add("projector");
    main.append(place);
    const id = decodeURIComponent(location.hash.slice(1));
    show(Math.max(slides.findIndex(([heading]) => heading.id === id), 0));
  }
  function stop() {
    html.classList.remove("projector");
    place.remove();
    history.replaceState(null, "", location.pathname + location.hash);
    slides[now][0].scrollIntoView();
  }

  // What is longer than the screen is scrolled first.
  function forward() {
    const left = html.scrollHeight - window.innerHeight - window.scrollY;
    if (left > 2) window.scrollBy({ top: window.innerHeight * 0.8, behavior: "instant" });
    else if (now + 1 < slides.length) show(now + 1);
    else follow("a.nav-chapters.next");
  }
  function back() {
    if (now > 0) show(now - 1);
    else follow("a.nav-chapters.previous");
  }
  function follow(selector) {
    const link = document.querySelector(selector);
    if (link) location.href = link.href + "?projector";
  }

  const KEYS = {
    ArrowRight: forward, PageDown: forward, " ": forward, ArrowLeft: back, PageUp: back,
    Home: () => show(0), End: () => show(slides.length - 1), Escape: stop, p: stop,
  };
  // Before mdBook's own keys, which lead to other chapters.
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.matches("input, textarea, select, [contenteditable]") && event.key !== "Escape") return;
    const isOn = html.classList.contains("projector");
    const act = isOn ? KEYS[event.key] : event.key === "p" && start;
    // A space opens what is folded, and presses a button.
    if (!act || (event.key === " " && event.target.matches("summary, button, a"))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    act();
  }, true);
  window.addEventListener("resize", () => html.classList.contains("projector") && show(now));

  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button projector-button";
  button.title = "Show on a projector (p)";
  button.setAttribute("aria-label", button.title);
  button.innerHTML = '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M1 2h18v11H1zM10 13v5M6 18h8"/></svg>';
  button.addEventListener("click", start);
  bar.prepend(button);
  if (new URLSearchParams(location.search).has("projector")) start();
})();
