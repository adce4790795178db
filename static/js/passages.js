// A passage as people read it, and the dialog that opens from a citation.

import { h } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

/** 0…1 as a small bar and a number. */
export function scoreMeter(score) {
  if (score === undefined || score === null) return null;
  const percent = Math.round(score * 100);
  return h(
    "span",
    { class: "score" },
    h("meter", { min: "0", max: "100", value: String(percent), "aria-label": "Match" }),
    `${percent} %`,
  );
}

function documentTitle(passage) {
  return passage.title || passage.document?.title || "Document";
}

/** Where in the document: a heading path, a page, or what words the server gives. */
function place(location) {
  if (!location) return "";
  if (typeof location === "string") return location;
  return [location.heading, location.page && `page ${location.page}`].filter(Boolean).join(" · ");
}

export function passageCard(passage) {
  return h(
    "li",
    { class: "passage" },
    h("div", { class: "passage-head" }, h("b", { class: "truncate" }, documentTitle(passage)), scoreMeter(passage.score)),
    place(passage.location) ? h("p", { class: "muted small" }, place(passage.location)) : null,
    passage.text ? h("div", { class: "passage-text prose", tabindex: "0" }, renderMarkdown(passage.text, { wrapped: true })) : null,
  );
}

export function openCitation(citation) {
  const dialog = document.querySelector("[data-citation-dialog]");
  dialog.querySelector("[data-title]").textContent = documentTitle(citation);
  dialog.querySelector("[data-number]").textContent = `Source ${citation.n}`;
  dialog.querySelector("[data-location]").textContent = place(citation.location);
  dialog.querySelector("[data-passage]").replaceChildren(...renderMarkdown(citation.text, { wrapped: true }));
  dialog.showModal();
}
