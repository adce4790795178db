// "Why did it say that?": the record of one turn, as a compact panel.

import { api } from "./api.js";
import { h } from "./dom.js";
import { passageCard } from "./passages.js";

const seconds = (ms) => (ms === null || ms === undefined ? "–" : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`);

function dollars(value) {
  const amount = Number(value);
  if (value === null || value === undefined || Number.isNaN(amount)) return "–";
  return amount === 0 ? "$0" : `$${amount.toFixed(amount < 0.01 ? 5 : 3)}`;
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", { class: "tabular" }, value));
}

function facts(turn) {
  return h(
    "dl",
    { class: "why-facts" },
    fact("Status", turn.status ?? "–"),
    fact("Model", turn.model || "–"),
    fact("Provider", turn.provider || "–"),
    fact("Attempts", String(turn.attempts ?? "–")),
    fact("First word after", seconds(turn.ttft_ms)),
    fact("Whole answer after", seconds(turn.latency_ms)),
    fact("Cost", dollars(turn.cost_usd)),
    fact("Trace", h("code", {}, turn.trace_id || "–")),
  );
}

function passages(found) {
  if (!found?.length) {
    return h("p", { class: "muted" }, "It used no passage of your knowledge for this answer.");
  }
  return h("ul", { class: "stack passages" }, found.map(passageCard));
}

export async function openWhy(conversationId, turnId) {
  const drawer = document.querySelector("[data-why-drawer]");
  const body = drawer.querySelector("[data-body]");
  body.replaceChildren(h("p", { class: "muted" }, "Looking it up…"));
  if (!drawer.open) drawer.showModal();
  try {
    const turn = await api("GET", `conversations/${conversationId}/turns/${turnId}/`);
    const error = turn.error ? h("p", { class: "notice notice-danger" }, turn.error) : "";
    body.replaceChildren(facts(turn), error, h("h3", {}, "What it had read"), passages(turn.passages));
  } catch (problem) {
    body.replaceChildren(h("p", { class: "notice notice-danger" }, problem.message));
  }
}
