// The client's page: one conversation with the coach's clone, or the coach.

import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection.js";
import { LiveConversation } from "./conversation.js";
import { avatar, readJson } from "./dom.js";
import { openCitation } from "./passages.js";
import { Scroller } from "./scroller.js";
import { Thread } from "./thread.js";
import { toast } from "./ui.js";

const state = readJson("initial-state");
const root = document.querySelector("[data-chat]");
const find = (name) => root.querySelector(`[data-${name}]`);
const coach = state.conversation.coach;

const people = { coach: coach.name, clone: coach.clone_name, client: state.me.name };

let live = null;

const thread = new Thread(root, {
  viewer: "client",
  people,
  onCitation: openCitation,
  onResend: (item) => live.resend(item),
  onDiscard: (item) => live.discard(item),
});
const scroller = new Scroller(find("scroll"), find("scroll-inner"), find("new-pill"), {
  onTop: () => live?.loadOlder(),
});
live = new LiveConversation({ state, thread, scroller, viewer: "client" });

const composer = new Composer(find("composer"), {
  draftKey: `${state.me.id}.${live.id}`,
  onSend: say,
  onTyping: () => live.typing(),
});

// ---- What the mode means for the person who reads -------------------------------------

const MODES = {
  ai: () => null,
  human: (name) => ({
    kind: "human",
    title: `${name} has joined the conversation.`,
    text: "You are talking to a human.",
  }),
  waiting: () => ({
    kind: "waiting",
    title: `${coach.name} has been asked to join.`,
    text: "You can go on writing; nothing is lost.",
  }),
  paused: () => ({
    kind: "waiting",
    title: "The clone is taking a break.",
    text: `${coach.name} will see what you write.`,
  }),
  completed: () => ({
    kind: "done",
    title: "This conversation is complete.",
    text: "You can read it here whenever you like.",
  }),
};

function drawMode(mode, holderName) {
  const name = holderName || coach.name;
  const banner = find("mode-banner");
  const meaning = (MODES[mode] ?? MODES.ai)(name);
  banner.hidden = !meaning;
  if (meaning) {
    banner.className = `banner banner-${meaning.kind}`;
    banner.querySelector("[data-title]").textContent = meaning.title;
    banner.querySelector("[data-text]").textContent = meaning.text;
  }
  const human = mode === "human";
  find("who-avatar").replaceChildren(human ? avatar(name, "human") : avatar("", "clone"));
  find("who-name").textContent = human ? name : coach.clone_name;
  find("who-line").textContent = human ? "Human coach" : `AI clone of ${coach.name}`;
  find("hint").textContent = human
    ? "What you write goes to a human."
    : `An AI clone answers here. ${coach.name} can read along and step in.`;
  find("composer").querySelector("textarea").placeholder = human ? `Write to ${name}…` : "Write what is on your mind…";
  find("composer").hidden = mode === "completed";
  find("completed").hidden = mode !== "completed";
}

function say(text) {
  live.send(text);
  nameInHistory(text);
  welcome();
}

function welcome() {
  const panel = find("welcome");
  if (panel) panel.hidden = thread.size > 0;
}

/** The list calls a conversation by what it began with; a new one learns it here. */
function nameInHistory(text) {
  const title = document.querySelector(".history [aria-current] [data-unnamed]");
  if (!title) return;
  title.textContent = text;
  delete title.dataset.unnamed;
}

for (const opener of root.querySelectorAll("[data-opener]")) {
  opener.addEventListener("click", () => {
    say(opener.dataset.opener);
    composer.focus();
  });
}

const banner = new ConnectionBanner(find("offline"));
live.addEventListener("connection", ({ detail }) => banner.set(detail));
live.addEventListener("refused", ({ detail }) => banner.refused(detail));
live.addEventListener("error", ({ detail }) => toast(detail, "danger"));
live.addEventListener("mode", ({ detail }) => drawMode(detail.mode, detail.holderName));
live.addEventListener("older", ({ detail }) => {
  find("older").hidden = detail !== "loading";
});

// An empty conversation greets; anything that arrives ends the greeting.
new MutationObserver(welcome).observe(find("thread-list"), { childList: true });

drawMode(state.conversation.mode, state.conversation.holder?.name);
welcome();
live.start();
if (matchMedia("(pointer: fine)").matches) composer.focus();
