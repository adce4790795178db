// A few helpers to build and find elements without markup strings: text that
// comes from people only ever enters the page as text nodes.

const SVG = "http://www.w3.org/2000/svg";

/** h("p", { class: "x", onclick: fn, dataset: { id: 1 } }, "text", node, …) */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `${name === "mark" ? "mark" : "icon"} ${extra}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${document.documentElement.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

export function initials(name) {
  const words = (name || "").trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0]).join("") || "?";
}

export function avatar(name, kind = "", size = "") {
  const classes = `avatar ${kind ? `avatar-${kind}` : ""} ${size}`.trim();
  return h("span", { class: classes, "aria-hidden": "true" }, kind === "clone" ? icon("mark") : initials(name));
}

export function readJson(id, root = document) {
  const element = root.querySelector(`#${id}`);
  return element ? JSON.parse(element.textContent) : null;
}
