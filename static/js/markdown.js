// A very small Markdown renderer for what a clone writes. It builds DOM nodes
// and never a markup string, so there is nothing to escape and nothing to
// inject: raw HTML in a message shows as the characters it is made of.
// The same function renders the streamed text and the stored one.

import { h } from "./dom.js";

const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "\\[(?<label>[^\\]\\n]+)\\]\\((?<href>https?://[^\\s)]+)\\)",
    "\\[(?<cite>\\d{1,2})\\]",
    "\\*\\*(?<bold>\\S(?:[^\\n]*?\\S)?)\\*\\*",
    "(?<![*\\w])\\*(?<star>\\S(?:[^*\\n]*?\\S)?)\\*(?!\\*)",
    "(?<![_\\w])_(?<under>\\S(?:[^_\\n]*?\\S)?)_(?!\\w)",
    "(?<url>https?://[^\\s<]*[^\\s<.,;:!?)\\]'\"])",
  ].join("|"),
  "g",
);

function link(href, children) {
  return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, children);
}

function inlineNode(groups, whole, cite) {
  if (groups.code) return h("code", {}, groups.code);
  if (groups.label) return link(groups.href, inline(groups.label, null));
  if (groups.cite) return cite?.(Number(groups.cite)) ?? whole;
  if (groups.bold) return h("strong", {}, inline(groups.bold, cite));
  if (groups.star || groups.under) return h("em", {}, inline(groups.star || groups.under, cite));
  return link(groups.url, groups.url);
}

function inline(text, cite) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) nodes.push(text.slice(from, match.index));
    nodes.push(inlineNode(match.groups, match[0], cite));
    from = match.index + match[0].length;
  }
  if (from < text.length) nodes.push(text.slice(from));
  return nodes;
}

function lines(texts, { cite, wrapped }) {
  if (wrapped) return inline(texts.join(" "), cite);
  return texts.flatMap((text, i) => [i ? h("br") : null, ...inline(text, cite)]);
}

const FENCE = /^```/;
const HEADING = /^#{1,6}\s+(.*)$/;
const QUOTE = /^>\s?(.*)$/;
const BULLET = /^\s*[-*•]\s+(.*)$/;
const NUMBER = /^\s*(\d{1,3})[.)]\s+(.*)$/;
const BLOCK_START = [FENCE, HEADING, QUOTE, BULLET, NUMBER];

const startsBlock = (line) => BLOCK_START.some((pattern) => pattern.test(line));

/** Reads lines while `take` gives a value; returns the values, moves the cursor. */
function takeWhile(source, take) {
  const taken = [];
  while (source.at < source.lines.length) {
    const value = take(source.lines[source.at]);
    if (value === null) break;
    taken.push(value);
    source.at += 1;
  }
  return taken;
}

function fence(source) {
  source.at += 1;
  const body = takeWhile(source, (line) => (FENCE.test(line) ? null : line));
  source.at += 1;
  return h("pre", {}, h("code", {}, body.join("\n")));
}

/** List items; a blank line between two items does not end the list. */
function items(source, pattern) {
  const found = [];
  while (source.at < source.lines.length) {
    const line = source.lines[source.at];
    const match = pattern.exec(line);
    if (match) found.push([match.at(-1)]);
    else if (line.trim() === "" && pattern.test(source.lines[source.at + 1] ?? "")) {
      // Skip the gap.
    } else if (line.trim() !== "" && /^\s{2,}/.test(line) && found.length) found.at(-1).push(line.trim());
    else break;
    source.at += 1;
  }
  return found;
}

function block(source, options) {
  const line = source.lines[source.at];
  if (FENCE.test(line)) return fence(source);
  const heading = HEADING.exec(line);
  if (heading) {
    source.at += 1;
    return h("p", {}, h("strong", {}, inline(heading[1], options.cite)));
  }
  if (QUOTE.test(line)) {
    const quoted = takeWhile(source, (text) => QUOTE.exec(text)?.[1] ?? null);
    return h("blockquote", {}, lines(quoted, options));
  }
  if (BULLET.test(line)) {
    return h("ul", {}, items(source, BULLET).map((item) => h("li", {}, lines(item, options))));
  }
  const number = NUMBER.exec(line);
  if (number) {
    const start = number[1] === "1" ? undefined : number[1];
    return h("ol", { start }, items(source, NUMBER).map((item) => h("li", {}, lines(item, options))));
  }
  let first = true;
  const paragraph = takeWhile(source, (text) => {
    if (text.trim() === "" || (!first && startsBlock(text))) return null;
    first = false;
    return text;
  });
  return h("p", {}, lines(paragraph, options));
}

/**
 * Renders `text` into nodes. `cite(n)` may give a node for a marker `[n]`;
 * without one the marker stays as text. A line break in a message is meant; in a
 * document (`wrapped`) it is only where the line was full.
 */
export function renderMarkdown(text, { cite = null, wrapped = false } = {}) {
  const source = { lines: text.replace(/\r\n?/g, "\n").split("\n"), at: 0 };
  const nodes = [];
  while (source.at < source.lines.length) {
    if (source.lines[source.at].trim() === "") source.at += 1;
    else nodes.push(block(source, { cite, wrapped }));
  }
  return nodes;
}

/**
 * For a text still being written: closes what its last line has opened, so that
 * no lone asterisks flicker at its end.
 */
export function closeOpenMarks(text) {
  const lastLine = text.slice(text.lastIndexOf("\n") + 1);
  const bare = lastLine.replace(/^\s*[*-]\s+/, "");
  if ((bare.match(/\*\*/g) ?? []).length % 2) return bare.endsWith("**") ? text.slice(0, -2) : `${text}**`;
  if ((bare.replace(/\*\*/g, "").match(/\*/g) ?? []).length % 2) return bare.endsWith("*") ? text.slice(0, -1) : `${text}*`;
  return text;
}

/** What people wrote: their line breaks kept, their links live, nothing else. */
export function renderPlain(text) {
  const paragraphs = text.replace(/\r\n?/g, "\n").split(/\n{2,}/);
  const linkify = (line) => {
    const parts = line.split(/(https?:\/\/[^\s<]*[^\s<.,;:!?)\]'"])/);
    return parts.map((part, i) => (i % 2 ? link(part, part) : part));
  };
  return paragraphs.map((paragraph) =>
    h("p", {}, paragraph.split("\n").flatMap((line, i) => [i ? h("br") : null, ...linkify(line)])),
  );
}
