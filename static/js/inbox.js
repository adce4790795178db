// The coach's inbox: the list on the left follows /ws/inbox/, the pane on the
// right is one live conversation, swapped in by htmx when a row is chosen.

import { localiseTimes } from "./time.js";
import { InboxList } from "./inbox-list.js";
import { Pane } from "./pane.js";

const inbox = document.querySelector("[data-inbox]");
const list = new InboxList(inbox.querySelector("[data-inbox-list]"));
let pane = null;

function mount() {
  pane?.stop();
  const element = inbox.querySelector("[data-pane]");
  pane = element ? new Pane(element) : null;
  inbox.classList.toggle("has-conversation", Boolean(pane));
  list.select(pane?.id ?? null);
  if (element) localiseTimes(element);
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "pane") mount();
});

mount();
list.start();
