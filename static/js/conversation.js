// One live conversation, for either side: it joins the socket, the outbox and
// the thread, and tells the page (by events) what it needs to redraw.
//
// Events: "mode" ({ mode, holderName, by }), "connection" (true when live),
// "refused", "error" (a sentence).

import { api } from "./api.js";
import { Outbox } from "./outbox.js";
import { LiveSocket } from "./socket.js";

const ACK_WITHIN_MS = 20_000;
const RETRY_AFTER_MS = 3000;
const PAGE = 40;

export class LiveConversation extends EventTarget {
  constructor({ state, thread, scroller, viewer }) {
    super();
    this.id = state.conversation.id;
    this.me = state.me;
    this.thread = thread;
    this.scroller = scroller;
    this.viewer = viewer;
    this.mode = state.conversation.mode;
    this.hasOlder = state.has_older;
    this.loadingOlder = false;
    this.newest = 0; // How long the log was when the socket opened.
    this.ackTimers = new Map();
    this.outbox = new Outbox(this.id, state.me.id);
    this.socket = new LiveSocket(`/ws/conversations/${this.id}/`, { after: state.conversation.last_seq ?? 0 });
    this.socket.addEventListener("frame", ({ detail }) => this.#frame(detail));
    this.socket.addEventListener("status", ({ detail }) => this.#emit("connection", detail === "open"));
    this.socket.addEventListener("refused", ({ detail }) => this.#emit("refused", detail));
    this.#show(state);
  }

  start() {
    this.socket.start();
  }

  stop() {
    this.socket.stop();
    this.scroller.stop();
    for (const timer of this.ackTimers.values()) clearTimeout(timer);
  }

  #show(state) {
    this.thread.prepend(state.messages);
    for (const event of state.events) this.#note(event);
    for (const message of state.messages) this.outbox.remove(message.client_message_id);
    for (const item of this.outbox.items) this.thread.addPending(item);
    if (state.turn) this.thread.startTurn(state.turn);
    if (state.failed_turn) this.#failed(state.failed_turn);
    this.scroller.toEnd();
  }

  // ---- Sending --------------------------------------------------------------------

  send(content) {
    const item = this.outbox.add(content);
    this.thread.addPending(item);
    this.thread.clearFailures();
    this.scroller.toEnd();
    this.#dispatchItem(item);
  }

  resend(item) {
    const revived = this.outbox.revive(item.client_message_id);
    if (!revived) return;
    this.thread.markSending(revived);
    this.#dispatchItem(revived);
  }

  discard(item) {
    this.outbox.remove(item.client_message_id);
    this.thread.removePending(item.client_message_id);
  }

  command(frame) {
    if (!this.socket.send(frame)) this.#emit("error", "You are offline. Try again when the connection is back.");
  }

  typing() {
    this.socket.send({ type: "typing" });
  }

  #dispatchItem({ client_message_id, content }) {
    // Offline it simply waits: hello() sends everything that is left.
    if (!this.socket.send({ type: "message.send", content, client_message_id })) return;
    clearTimeout(this.ackTimers.get(client_message_id));
    this.ackTimers.set(
      client_message_id,
      setTimeout(() => this.#failItem(client_message_id, "Not delivered."), ACK_WITHIN_MS),
    );
  }

  #failItem(id, reason) {
    this.#forgetAck(id);
    this.outbox.fail(id, reason);
    const item = this.outbox.get(id);
    if (item) this.thread.markFailed(item);
  }

  #forgetAck(id) {
    clearTimeout(this.ackTimers.get(id));
    this.ackTimers.delete(id);
  }

  // ---- Receiving ------------------------------------------------------------------

  #frame(frame) {
    switch (frame.type) {
      case "hello":
        return this.#hello(frame);
      case "message.created":
        return this.#message(frame.message);
      case "message.completed":
        return this.#completed(frame);
      case "message.delta":
        return this.thread.delta(frame.turn, frame.index, frame.text);
      case "message.reset":
        return this.thread.resetTurn(frame.turn);
      case "turn.started":
        return this.thread.startTurn(frame.turn);
      case "turn.failed":
        return this.#failed(frame);
      case "mode.changed":
        return this.#mode(frame);
      case "client.typing":
        return this.viewer === "coach" && this.thread.typing("client", frame.name);
      case "coach.typing":
        return this.viewer === "client" && this.thread.typing("coach", frame.name);
      case "error":
        return this.#error(frame);
      default:
        // Later releases add frames; an older page ignores what it cannot show.
    }
  }

  #hello(frame) {
    if (frame.turn) this.thread.startTurn(frame.turn);
    else this.thread.endAllTurns();
    this.newest = frame.seq ?? 0;
    if (frame.mode && frame.mode !== this.mode) this.#mode({ mode: frame.mode });
    for (const item of this.outbox.waiting()) this.#dispatchItem(item);
  }

  #message(message) {
    this.#forgetAck(message.client_message_id);
    this.outbox.remove(message.client_message_id);
    const isNew = this.thread.upsert(message);
    if (message.source === "client") {
      this.thread.stopTyping("client");
      // A replayed message may have its answer right behind it: no dots for those.
      if (this.mode === "ai" && message.seq > this.newest) this.thread.expectReply();
    }
    if (message.source === "human_coach") this.thread.stopTyping("coach");
    if (isNew) this.#noted(message);
  }

  #completed({ message, turn }) {
    this.thread.endTurn(turn);
    this.thread.clearFailure(turn);
    if (this.thread.upsert(message)) this.#noted(message);
  }

  #noted(message) {
    const own = (this.viewer === "client") === (message.source === "client") && message.source !== "ai" && message.source !== "system";
    if (own) return;
    this.scroller.arrived();
    const spoken = message.content.replace(/[*_`#>]+|\[\d{1,2}\]/g, "");
    this.thread.announce(message.author_name ? `${message.author_name}: ${spoken}` : spoken);
  }

  #mode(frame) {
    this.mode = frame.mode;
    this.#note(frame);
    // Whoever holds it now, nothing that was being written may still appear.
    if (frame.mode !== "ai" && frame.mode !== "waiting") this.thread.endAllTurns();
    this.#emit("mode", { mode: frame.mode, holderName: frame.holder_name, by: frame.by });
  }

  #note(event) {
    if (event.seq) this.thread.note({ seq: event.seq, at: event.at, text: this.#whatHappened(event) });
  }

  #whatHappened({ mode, holder_name: holder, by }) {
    const { coach, clone } = this.thread.people;
    const texts =
      this.viewer === "client"
        ? {
            human: `${holder || coach} joined the conversation.`,
            ai: `${clone} is back.`,
            waiting: `${coach} has been asked to join.`,
            paused: `${clone} is taking a break.`,
            completed: "This conversation was completed.",
          }
        : {
            human: `${holder || by} took over.`,
            ai: `${by} gave the conversation back to the clone.`,
            waiting: "A human has been asked for.",
            paused: `${by} paused the clone.`,
            completed: `${by} completed the conversation.`,
          };
    return texts[mode] ?? mode;
  }

  #failed(frame) {
    this.thread.endAllTurns();
    // The client reads calm words, which arrive as a system message; the coach can act.
    if (this.viewer === "client") return;
    const reason = frame.reason ? `: ${frame.reason.replace(/[.\s]+$/, "")}.` : ".";
    this.thread.failTurn(frame.turn, { text: `The clone could not answer${reason}`, retryable: true });
  }

  #error(frame) {
    const id = frame.client_message_id;
    const item = id && this.outbox.get(id);
    if (item && frame.code === "unavailable") setTimeout(() => this.#dispatchItem(item), RETRY_AFTER_MS);
    else if (id) this.#failItem(id, frame.detail || "Not delivered.");
    else this.#emit("error", frame.detail || "That did not work. Please try again.");
  }

  // ---- History ----------------------------------------------------------------------

  async loadOlder() {
    const before = this.thread.oldestSeq();
    if (!this.hasOlder || this.loadingOlder || before === null) return;
    this.loadingOlder = true;
    this.#emit("older", "loading");
    try {
      const page = await api("GET", `conversations/${this.id}/messages/?before=${before}&limit=${PAGE}`);
      const messages = page.results.toSorted((a, b) => a.seq - b.seq);
      this.hasOlder = messages.length === PAGE;
      this.scroller.keepPlace(() => this.thread.prepend(messages));
      this.#emit("older", this.hasOlder ? "more" : "none");
    } catch {
      this.#emit("older", "failed");
    } finally {
      this.loadingOlder = false;
    }
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
