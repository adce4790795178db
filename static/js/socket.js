// A WebSocket that comes back. It remembers the last stored event it has seen
// and asks for what followed, so a reconnect loses nothing and doubles nothing.
//
// Events: "frame" (detail: the decoded frame), "status" (detail: "connecting",
// "open", "waiting"), "refused" (the server will not have us: signed out or gone).

const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 15_000;
const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const CONNECT_WITHIN_MS = 12_000;
const REFUSED_CODES = new Set([4401, 4403, 4404]);

export class LiveSocket extends EventTarget {
  #path;
  #socket = null;
  #failures = 0;
  #retryTimer = null;
  #pingTimer = null;
  #pongTimer = null;
  #stopped = false;

  /** `after`: last stored event already on the page; null for streams without one. */
  constructor(path, { after = null } = {}) {
    super();
    this.#path = path;
    this.after = after;
    this.status = "waiting";
    this.onOnline = () => this.#now();
    this.onOffline = () => this.#drop();
    this.onVisible = () => document.visibilityState === "visible" && this.#check();
  }

  start() {
    window.addEventListener("online", this.onOnline);
    window.addEventListener("offline", this.onOffline);
    document.addEventListener("visibilitychange", this.onVisible);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    window.removeEventListener("online", this.onOnline);
    window.removeEventListener("offline", this.onOffline);
    document.removeEventListener("visibilitychange", this.onVisible);
    this.#drop();
    clearTimeout(this.#retryTimer);
  }

  /** False when the frame could not leave: the caller keeps what it must not lose. */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #url() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = this.after === null ? "" : `?after=${this.after}`;
    return `${scheme}://${location.host}${this.#path}${query}`;
  }

  #connect() {
    if (this.#stopped || this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#setStatus("connecting");
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    // A half-open network can leave a handshake hanging for minutes.
    const giveUp = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.#drop(), CONNECT_WITHIN_MS);
    socket.addEventListener("open", () => {
      clearTimeout(giveUp);
      if (socket !== this.#socket) return;
      this.#setStatus("open");
      this.#pingTimer = setInterval(() => this.#ping(), PING_EVERY_MS);
    });
    socket.addEventListener("message", (event) => socket === this.#socket && this.#receive(event.data));
    socket.addEventListener("close", (event) => {
      clearTimeout(giveUp);
      if (socket === this.#socket) this.#lost(event.code);
    });
  }

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    clearTimeout(this.#pongTimer);
    this.#failures = 0;
    if (frame.type === "pong") return;
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    // After the listeners: what they failed to take in will be asked for again.
    if (this.after !== null && Number.isInteger(frame.seq) && frame.type !== "hello") {
      this.after = Math.max(this.after, frame.seq);
    }
  }

  #ping() {
    const frame = this.after === null ? { type: "ping" } : { type: "ping", after: this.after };
    if (!this.send(frame)) return;
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => this.#drop(), PONG_WITHIN_MS);
  }

  /** A laptop that woke up may hold a socket that died in its sleep. */
  #check() {
    if (this.isOpen) this.#ping();
    else this.#now();
  }

  #now() {
    this.#failures = 0;
    if (!this.#socket) this.#connect();
  }

  #drop() {
    const socket = this.#socket;
    if (!socket) return;
    this.#lost(0);
    socket.close();
  }

  #lost(code) {
    this.#socket = null;
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    this.#setStatus("waiting");
    if (this.#stopped) return;
    this.#failures += 1;
    if (REFUSED_CODES.has(code)) {
      this.dispatchEvent(new CustomEvent("refused", { detail: code }));
      return;
    }
    if (!navigator.onLine) return; // The "online" event brings us back.
    // Full jitter, so that a restarted server is not met by everybody at once.
    const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failures - 1));
    this.#retryTimer = setTimeout(() => this.#connect(), ceiling / 4 + Math.random() * ceiling * 0.75);
  }

  #setStatus(status) {
    if (this.status === status) return;
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}
