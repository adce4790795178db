// Draws a conversation: who said what, when, and what is still on its way.
// It holds no connection; it is told what happened and shows it.

import { avatar, h, icon } from "./dom.js";
import { closeOpenMarks, renderMarkdown, renderPlain } from "./markdown.js";
import { clock, dayKey, dayLabel, full } from "./time.js";

const EXPECTED = "expected";

export class Thread {
  /**
   * `viewer` is "client" or "coach"; `people` names both sides; the callbacks
   * open a citation, the why-record, and resend or discard a failed message.
   */
  constructor(root, { viewer, people, onCitation, onWhy, onResend, onDiscard, onRetryTurn }) {
    this.root = root;
    this.list = root.querySelector("[data-thread-list]");
    this.tail = root.querySelector("[data-thread-tail]");
    this.announcer = root.querySelector("[data-announcer]");
    this.viewer = viewer;
    this.people = people;
    this.on = { onCitation, onWhy, onResend, onDiscard, onRetryTurn };
    this.elements = new Map(); // message id -> element
    this.pending = new Map(); // client_message_id -> element
    this.streams = new Map(); // turn id -> { element, body, text, next, scheduled }
    this.failures = new Map(); // turn id -> element
    this.typingTimers = new Map();
  }

  get size() {
    return this.elements.size + this.pending.size;
  }

  has(message) {
    return this.elements.has(message.id);
  }

  oldestSeq() {
    const first = this.list.querySelector("[data-seq]");
    return first ? Number(first.dataset.seq) : null;
  }

  // ---- Stored messages --------------------------------------------------------

  /** Adds or replaces one stored message. Returns true when it is new here. */
  upsert(message) {
    const known = this.elements.get(message.id);
    if (known) {
      known.replaceWith(this.#remember(message, this.#element(message)));
      return false;
    }
    this.#dropPending(message.client_message_id);
    const element = this.#remember(message, this.#element(message));
    this.#insert(element, message.seq);
    this.#refreshDays();
    return true;
  }

  /** Older messages, oldest first, above everything else. */
  prepend(messages) {
    this.list.classList.add("is-still");
    for (const message of messages) {
      if (!this.has(message)) this.#insert(this.#remember(message, this.#element(message)), message.seq);
    }
    this.#refreshDays();
    requestAnimationFrame(() => this.list.classList.remove("is-still"));
  }

  #remember(message, element) {
    this.elements.set(message.id, element);
    return element;
  }

  #insert(element, seq) {
    const later = [...this.list.children]
      .reverse()
      .filter((child) => child.dataset.seq || child.dataset.pending);
    // Nearly always the end: walk back from there until a smaller number.
    let before = null;
    for (const child of later) {
      if (child.dataset.seq && Number(child.dataset.seq) < seq) break;
      before = child;
    }
    this.list.insertBefore(element, before);
  }

  #refreshDays() {
    for (const day of this.list.querySelectorAll(".day")) day.remove();
    let last = null;
    for (const element of [...this.list.children]) {
      const key = dayKey(element.dataset.at);
      if (key !== last) this.list.insertBefore(h("li", { class: "day" }, dayLabel(element.dataset.at)), element);
      last = key;
    }
  }

  /** Something that happened between messages: "Maya joined the conversation." */
  note({ seq, at, text }) {
    if (this.list.querySelector(`[data-note="${seq}"]`)) return;
    const element = this.#frame({ source: "system", at, seq });
    element.dataset.note = seq;
    element.append(h("div", { class: "message-body" }, text));
    this.#insert(element, seq);
    this.#refreshDays();
  }

  // ---- Mine, on their way -------------------------------------------------------

  addPending(item) {
    if (this.pending.has(item.client_message_id)) return;
    const element = this.#frame({
      source: this.viewer === "client" ? "client" : "human_coach",
      at: item.created_at,
      pending: true,
    });
    this.#fill(element, this.#stateLine(item), h("div", { class: "message-body" }, renderPlain(item.content)));
    this.pending.set(item.client_message_id, element);
    this.list.append(element);
    this.#refreshDays();
    if (item.failed) this.markFailed(item);
  }

  markFailed(item) {
    const element = this.pending.get(item.client_message_id);
    if (!element) return;
    element.classList.add("message-failed");
    element.querySelector(".message-head").replaceWith(this.#stateLine(item));
  }

  markSending(item) {
    const element = this.pending.get(item.client_message_id);
    if (!element) return;
    element.classList.remove("message-failed");
    element.querySelector(".message-head").replaceWith(this.#stateLine(item));
  }

  removePending(id) {
    this.#dropPending(id);
    this.#refreshDays();
  }

  #stateLine(item) {
    if (!item.failed) {
      return h("p", { class: "message-head" }, h("span", { class: "message-state" }, icon("clock"), "Sending…"));
    }
    return h(
      "p",
      { class: "message-head", role: "alert" },
      h("span", { class: "message-state" }, icon("alert"), item.failed),
      h("button", { type: "button", class: "button button-text button-small", onclick: () => this.on.onResend(item) }, "Try again"),
      h("button", { type: "button", class: "button button-text button-small", onclick: () => this.on.onDiscard(item) }, "Delete"),
    );
  }

  #dropPending(id) {
    if (!id) return;
    this.pending.get(id)?.remove();
    this.pending.delete(id);
  }

  // ---- The clone, still writing --------------------------------------------------

  /** A turn runs: show that the clone is at work before the first word is there. */
  startTurn(turn) {
    if (!turn || this.streams.has(turn)) return;
    this.clearFailures();
    this.#adoptExpected(turn);
    if (this.streams.has(turn)) return;
    const element = this.#frame({ source: "ai", at: new Date().toISOString() });
    element.classList.add("message-streaming");
    const body = h("div", { class: "message-body" }, this.#dots());
    element.append(this.#head("ai", this.people.clone, null), body);
    this.tail.append(element);
    // `next` is the index of the delta that continues the text; a socket that
    // joined in the middle waits for the whole message instead of showing a torso.
    this.streams.set(turn, { element, body, text: "", next: 0, torn: false, scheduled: false });
  }

  /** An answer is due although no turn has a name yet; its first delta takes this place. */
  expectReply() {
    if (!this.streams.size) this.startTurn(EXPECTED);
  }

  delta(turn, index, text) {
    this.#adoptExpected(turn);
    this.startTurn(turn);
    const stream = this.streams.get(turn);
    // A new socket tells the text from its beginning, whatever the old one had shown of it.
    if (index === 0) Object.assign(stream, { text: "", next: 0, torn: false });
    if (index < stream.next) return;
    if (index > stream.next) stream.torn = true;
    stream.next = index + 1;
    if (stream.torn) return;
    stream.text += text;
    this.#schedule(stream);
  }

  /** The partial text is void: a fallback model starts again. */
  resetTurn(turn) {
    const stream = this.streams.get(turn);
    if (!stream) return this.startTurn(turn);
    Object.assign(stream, { text: "", next: 0, torn: false });
    stream.body.replaceChildren(this.#dots());
  }

  endTurn(turn) {
    this.#adoptExpected(turn);
    this.streams.get(turn)?.element.remove();
    this.streams.delete(turn);
  }

  #adoptExpected(turn) {
    const stream = this.streams.get(EXPECTED);
    if (!stream || turn === EXPECTED || this.streams.has(turn)) return;
    this.streams.delete(EXPECTED);
    this.streams.set(turn, stream);
  }

  endAllTurns() {
    for (const turn of [...this.streams.keys()]) this.endTurn(turn);
  }

  failTurn(turn, { text, retryable }) {
    this.endTurn(turn);
    this.clearFailure(turn);
    const retry =
      retryable && this.on.onRetryTurn
        ? h("button", { type: "button", class: "button button-quiet button-small", onclick: () => this.on.onRetryTurn(turn) }, icon("retry", "icon-s"), "Retry")
        : null;
    const element = h("div", { class: "turn-failed", role: "status" }, icon("alert"), h("p", {}, text), retry);
    this.failures.set(turn, element);
    this.tail.append(element);
  }

  clearFailure(turn) {
    this.failures.get(turn)?.remove();
    this.failures.delete(turn);
  }

  clearFailures() {
    for (const turn of [...this.failures.keys()]) this.clearFailure(turn);
  }

  /** At most one drawing a frame, however fast the deltas come. */
  #schedule(stream) {
    if (stream.scheduled) return;
    stream.scheduled = true;
    requestAnimationFrame(() => {
      stream.scheduled = false;
      if (stream.text) stream.body.replaceChildren(...renderMarkdown(closeOpenMarks(stream.text)));
    });
  }

  #dots() {
    return h("p", { class: "typing" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), h("span", { class: "visually-hidden" }, `${this.people.clone} is writing`));
  }

  // ---- People, typing ------------------------------------------------------------

  typing(kind, name) {
    const selector = `[data-typing="${kind}"]`;
    if (!this.tail.querySelector(selector)) {
      this.tail.append(
        h(
          "p",
          { class: `typing ${kind === "coach" ? "typing-human" : ""}`, dataset: { typing: kind } },
          avatar(name, kind === "coach" ? "human" : "", "avatar-small"),
          `${name} is typing`,
          h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
        ),
      );
    }
    clearTimeout(this.typingTimers.get(kind));
    this.typingTimers.set(kind, setTimeout(() => this.stopTyping(kind), 5000));
  }

  stopTyping(kind) {
    this.tail.querySelector(`[data-typing="${kind}"]`)?.remove();
  }

  /** Read out once, when it is whole: a screen reader is spared the tokens. */
  announce(text) {
    this.announcer.textContent = text;
  }

  // ---- One message -----------------------------------------------------------------

  #isOwn(source) {
    return this.viewer === "client" ? source === "client" : source === "human_coach";
  }

  #frame({ source, at, seq, id, pending }) {
    const own = this.#isOwn(source);
    const classes = ["message", `message-${source}`];
    if (own) classes.push("message-own");
    else if (source !== "system") classes.push("message-with-avatar");
    if (pending) classes.push("message-pending");
    const element = h("li", { class: classes.join(" "), dataset: { at, source } });
    if (seq !== undefined && seq !== null) element.dataset.seq = seq;
    if (id) element.dataset.id = id;
    if (pending) element.dataset.pending = "1";
    if (!own && source === "ai") element.append(avatar("", "clone"));
    if (!own && source === "human_coach") element.append(avatar(this.people.coach, "human"));
    if (!own && source === "client") element.append(avatar(this.people.client));
    return element;
  }

  /** A client's own words come first and the time below, as in any messenger. */
  #fill(element, head, body) {
    if (this.viewer === "client" && element.classList.contains("message-own")) element.append(body, head);
    else element.append(head, body);
  }

  #element(message) {
    const element = this.#frame({ source: message.source, at: message.created_at, seq: message.seq, id: message.id });
    const cite = (n) => this.#inlineCitation(message, n);
    const content =
      message.source === "ai" ? renderMarkdown(message.content, { cite }) : renderPlain(message.content);
    const body = h("div", { class: "message-body" }, content);
    if (message.source === "system") {
      if (message.metadata?.about) element.classList.add("message-calm");
      element.append(body);
      return element;
    }
    this.#fill(element, this.#head(message.source, this.#authorOf(message), message.created_at), body);
    const foot = this.#foot(message);
    if (foot.childElementCount) element.append(foot);
    return element;
  }

  #authorOf(message) {
    if (message.author_name) return message.author_name;
    return { ai: this.people.clone, human_coach: this.people.coach, client: this.people.client }[message.source];
  }

  #head(source, name, at) {
    const time = at ? h("time", { datetime: at, title: full(at) }, clock(at)) : null;
    const own = this.#isOwn(source);
    const author = own && this.viewer === "client" ? h("span", { class: "visually-hidden" }, "You") : h("span", { class: "message-author" }, name);
    return h("p", { class: "message-head" }, author, this.#kind(source), time);
  }

  #kind(source) {
    if (source === "ai") return h("span", { class: "message-kind" }, `AI clone of ${this.people.coach}`);
    if (source === "human_coach") return h("span", { class: "message-kind" }, "Human coach");
    return null;
  }

  #foot(message) {
    const citations = (message.citations ?? []).map((citation) =>
      h(
        "button",
        { type: "button", class: "citation", onclick: () => this.on.onCitation(citation) },
        h("b", {}, String(citation.n)),
        h("span", { class: "truncate" }, citation.title),
      ),
    );
    const demo = message.metadata?.demo
      ? h("span", { class: "demo-label" }, "Demo answer: no model key is set")
      : null;
    const why =
      this.on.onWhy && message.source === "ai" && message.turn
        ? h("button", { type: "button", class: "why-button", onclick: () => this.on.onWhy(message.turn) }, icon("why", "icon-s"), "Why did it say that?")
        : null;
    return h("div", { class: "message-foot" }, citations, demo, why);
  }

  #inlineCitation(message, n) {
    const citation = (message.citations ?? []).find((each) => each.n === n);
    if (!citation) return null;
    return h(
      "button",
      { type: "button", class: "cite-inline", "aria-label": `Source ${n}: ${citation.title}`, onclick: () => this.on.onCitation(citation) },
      String(n),
    );
  }
}
