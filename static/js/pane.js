// One conversation as the coach sees it: live, with the levers of takeover.

import { api } from "./api.js";
import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection.js";
import { LiveConversation } from "./conversation.js";
import { readJson } from "./dom.js";
import { openCitation } from "./passages.js";
import { Scroller } from "./scroller.js";
import { Thread } from "./thread.js";
import { toast } from "./ui.js";
import { openWhy } from "./why.js";

const PILL = { ai: "With the clone", waiting: "Waiting for you", paused: "Clone paused", completed: "Completed" };

export class Pane {
  constructor(root) {
    this.root = root;
    const state = readJson("pane-state", root);
    const { client, coach } = state.conversation;
    this.id = state.conversation.id;
    this.me = state.me;
    this.client = client;
    this.thread = new Thread(root, {
      viewer: "coach",
      people: { coach: coach.name, clone: coach.clone_name, client: client.name },
      onCitation: openCitation,
      onWhy: (turn) => openWhy(this.id, turn),
      onResend: (item) => this.live.resend(item),
      onDiscard: (item) => this.live.discard(item),
      onRetryTurn: (turn) => this.#retry(turn),
    });
    const scroller = new Scroller(this.#find("scroll"), this.#find("scroll-inner"), this.#find("new-pill"), {
      onTop: () => this.live?.loadOlder(),
    });
    this.live = new LiveConversation({ state, thread: this.thread, scroller, viewer: "coach" });
    this.composer = new Composer(this.#find("composer"), {
      draftKey: `${state.me.id}.${this.id}`,
      onSend: (text) => this.live.send(text),
      onTyping: () => this.live.typing(),
    });
    this.#listen();
    this.#drawMode(state.conversation.mode, state.conversation.holder);
    this.live.start();
  }

  stop() {
    this.live.stop();
  }

  #find(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  #listen() {
    const banner = new ConnectionBanner(this.#find("offline"));
    this.live.addEventListener("connection", ({ detail }) => banner.set(detail));
    this.live.addEventListener("refused", ({ detail }) => banner.refused(detail));
    this.live.addEventListener("error", ({ detail }) => toast(detail, "danger"));
    this.live.addEventListener("mode", ({ detail }) => {
      this.#drawMode(detail.mode, detail.holderName ? { name: detail.holderName } : null);
    });
    this.live.addEventListener("older", ({ detail }) => {
      this.#find("older").hidden = detail !== "loading";
    });
    this.#find("takeover").addEventListener("click", () => {
      this.live.command({ type: "takeover" });
      this.composer.focus();
    });
    this.#find("pause").addEventListener("click", () => this.#post("pause"));
    this.#find("resume").addEventListener("click", () => this.#post("resume"));
    this.#find("handback-form").addEventListener("submit", () => this.#handBack());
  }

  #handBack() {
    // method="dialog" closes the dialog itself; only the choice is ours.
    const form = this.#find("handback-form");
    const data = new FormData(form);
    this.live.command({ type: "handback", mode: data.get("mode"), note: data.get("note").trim() });
    form.reset();
  }

  async #post(action) {
    try {
      await api("POST", `conversations/${this.id}/${action}/`);
    } catch (problem) {
      toast(problem.message, "danger");
    }
  }

  async #retry(turn) {
    this.thread.startTurn(turn);
    try {
      await api("POST", `conversations/${this.id}/turns/${turn}/retry/`);
    } catch (problem) {
      this.thread.failTurn(turn, { text: problem.message, retryable: true });
    }
  }

  #drawMode(mode, holder) {
    const human = mode === "human";
    const done = mode === "completed";
    const pill = this.#find("mode-pill");
    pill.className = `pill pill-${mode}`;
    pill.textContent = human ? `With ${holder?.name || "a coach"}` : (PILL[mode] ?? mode);
    this.#find("takeover").hidden = human || done;
    this.#find("handback").hidden = !human;
    this.#find("pause").hidden = mode !== "ai" && mode !== "waiting";
    this.#find("resume").hidden = mode !== "paused";
    this.#find("composer").hidden = done;
    this.#find("composer-box").classList.toggle("is-human", human);
    this.#find("hint").textContent = human
      ? `${this.client.name} sees your name. The clone is quiet until you hand back.`
      : "Writing takes over from the clone.";
    this.root.querySelector("textarea").placeholder = human ? `Write to ${this.client.name}…` : `Step in and write to ${this.client.name}…`;
  }
}
