// Code and tables that are wider than the window scroll by themselves. Not
// every browser lets the keyboard reach what scrolls, so it is made a stop of
// the Tab key, as long as there is something to scroll; and its edges fade
// where there is more (workshop.css).
"use strict";
(function () {
  const wide = document.querySelectorAll("main pre > code, main .table-wrapper");
  function look() {
    for (const element of wide) {
      const scrolls = element.scrollWidth > element.clientWidth;
      element.toggleAttribute("tabindex", scrolls);
      fade(element);
      if (!scrolls) {
        element.removeAttribute("role");
        element.removeAttribute("aria-label");
        continue;
      }
      element.setAttribute("tabindex", "0");
      element.setAttribute("role", "group");
      element.setAttribute("aria-label", element.matches("code") ? "Code, scrolls sideways" : "Table, scrolls sideways");
    }
  }
  function fade(element) {
    const left = element.scrollLeft, right = element.scrollWidth - element.clientWidth - left;
    element.classList.toggle("more-left", left > 1);
    element.classList.toggle("more-right", right > 1);
  }
  wide.forEach((it) => it.addEventListener("scroll", () => fade(it), { passive: true }));
  const observer = new ResizeObserver(look);
  wide.forEach((element) => observer.observe(element));
  // What is folded has no width until it is opened.
  document.querySelectorAll("main details").forEach((it) => it.addEventListener("toggle", look));
  look();
})();

// What is folded is printed as well. The style sheet says so, too, for
// browsers that know "::details-content" and print without this event.
(function () {
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("main details:not([open])")];
    folded.forEach((it) => { it.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((it) => { it.open = false; }));
})();
