// Messages that the server has not acknowledged yet. They survive a reload, a
// dead socket and a closed laptop; each keeps its client_message_id, so that
// sending it again can never make it appear twice.

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // randomUUID exists only on https and localhost; a coach may test over a LAN address.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export class Outbox {
  /** `owner` keeps two people who share a browser apart. */
  constructor(conversationId, owner) {
    this.key = `opencoach.outbox.${owner}.${conversationId}`;
    this.items = this.#load();
  }

  add(content) {
    const item = { client_message_id: newId(), content, created_at: new Date().toISOString(), failed: null };
    this.items.push(item);
    this.#save();
    return item;
  }

  get(id) {
    return this.items.find((item) => item.client_message_id === id);
  }

  /** Still to be delivered without anybody asking for it, oldest first. */
  waiting() {
    return this.items.filter((item) => !item.failed);
  }

  fail(id, reason) {
    const item = this.get(id);
    if (item) item.failed = reason;
    this.#save();
  }

  revive(id) {
    const item = this.get(id);
    if (item) item.failed = null;
    this.#save();
    return item;
  }

  remove(id) {
    const before = this.items.length;
    this.items = this.items.filter((item) => item.client_message_id !== id);
    if (this.items.length !== before) this.#save();
  }

  #load() {
    try {
      const stored = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(stored) ? stored : [];
    } catch {
      return [];
    }
  }

  #save() {
    try {
      if (this.items.length) localStorage.setItem(this.key, JSON.stringify(this.items));
      else localStorage.removeItem(this.key);
    } catch {
      // Storage full or blocked: the message is still in memory and on screen.
    }
  }
}
