// The list of conversations: one row each, the newest on top, live.

import { LiveSocket } from "./socket.js";
import { full, short } from "./time.js";

const AUTHOR = { ai: "Clone: ", human_coach: "Coach: ", client: "", system: "" };

function status(summary) {
  if (summary.mode === "human") return ["human", `With ${summary.holder_name || "a coach"}`];
  if (summary.mode === "waiting") return ["waiting", "Waiting for you"];
  if (summary.needs_human) return ["needs", "Needs you"];
  if (summary.mode === "paused") return ["paused", "Clone paused"];
  if (summary.mode === "completed") return ["completed", "Completed"];
  return ["ai", "With the clone"];
}

const plain = (text) => text.replace(/[*_`#>]+/g, "").replace(/\[\d{1,2}\]/g, "").replace(/\s+/g, " ").trim();

export class InboxList {
  constructor(root) {
    this.root = root;
    this.rows = root.querySelector("[data-rows]");
    this.selected = null;
    this.title = document.title;
    this.socket = new LiveSocket("/ws/inbox/");
    this.socket.addEventListener("frame", ({ detail }) => this.#frame(detail));
    this.socket.addEventListener("status", ({ detail }) => this.#status(detail));
    this.wasOpen = false;
    root.addEventListener("click", (event) => this.#filter(event));
    // htmx brought new rows: mark the chosen one again, count again.
    this.rows.addEventListener("htmx:afterSwap", () => this.#refreshed());
    this.#count();
  }

  start() {
    this.socket.start();
  }

  select(id) {
    this.selected = id;
    for (const row of this.rows.querySelectorAll("[data-conversation]")) {
      const link = row.querySelector("a");
      const chosen = row.dataset.conversation === id;
      if (chosen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #frame(frame) {
    if (frame.type === "inbox.resumed") this.#refreshSoon();
    if (!frame.summary) return;
    const row = this.rows.querySelector(`[data-conversation="${CSS.escape(frame.conversation)}"]`);
    // A row the list does not hold may be new, or fit the filter only now.
    if (!row || this.#isFiltered()) {
      this.#refreshSoon();
      return;
    }
    const before = row.querySelector("time").dateTime;
    this.#update(row, frame.summary);
    // By what was said, not by the frame: several things in one moment come as one frame.
    if (frame.summary.last_message && new Date(frame.summary.last_message.created_at) > new Date(before)) {
      this.rows.prepend(row);
    }
    this.#count();
  }

  #update(row, summary) {
    const [kind, label] = status(summary);
    row.dataset.needs = summary.needs_human || summary.mode === "waiting" ? "1" : "";
    const line = row.querySelector("[data-status]");
    line.className = `row-status row-status-${kind}`;
    line.textContent = label;
    const last = summary.last_message;
    if (last) {
      row.querySelector("[data-preview]").textContent = AUTHOR[last.source] + plain(last.content).slice(0, 160);
      const time = row.querySelector("time");
      time.dateTime = last.created_at;
      time.textContent = short(last.created_at);
      time.title = full(last.created_at);
    }
    row.querySelector("a").classList.toggle("row-unread", Boolean(summary.unread));
    row.querySelector("[data-unread]").hidden = !summary.unread;
  }

  #status(status) {
    // Back after a gap: the list may have missed anything, so fetch it whole.
    if (status === "open" && this.wasOpen) this.#refreshSoon();
    if (status === "open") this.wasOpen = true;
  }

  #refreshSoon() {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = setTimeout(() => this.rows.dispatchEvent(new CustomEvent("refresh")), 300);
  }

  #refreshed() {
    this.select(this.selected);
    this.#count();
  }

  #isFiltered() {
    return Boolean(this.root.querySelector("[name=q]").value || this.root.querySelector("[name=filter]").value);
  }

  #filter(event) {
    const button = event.target.closest("[data-filter]");
    if (!button) return;
    for (const each of this.root.querySelectorAll("[data-filter]")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
    this.root.querySelector("[name=filter]").value = button.dataset.filter;
    this.rows.dispatchEvent(new CustomEvent("refresh"));
  }

  /** How many need a human: on the filter, the navigation and the tab's title. */
  #count() {
    if (this.#isFiltered()) return;
    const needing = this.rows.querySelectorAll('[data-needs="1"]').length;
    for (const badge of document.querySelectorAll("[data-needs-count]")) badge.textContent = needing || "";
    document.title = needing ? `(${needing}) ${this.title}` : this.title;
  }
}
