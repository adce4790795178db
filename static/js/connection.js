// Shows whether the conversation is live. Short gaps stay silent: a banner that
// flashes at every hiccup teaches people to ignore it.

const PATIENCE_MS = 1500;
const SIGNED_OUT = 4401;

export class ConnectionBanner {
  constructor(banner) {
    this.banner = banner;
    this.text = banner.querySelector("[data-text]");
    this.live = true;
    this.timer = null;
    window.addEventListener("offline", () => this.#draw());
  }

  set(live) {
    this.live = live;
    clearTimeout(this.timer);
    if (live || !navigator.onLine) this.#draw();
    else this.timer = setTimeout(() => this.#draw(), PATIENCE_MS);
  }

  refused(code) {
    clearTimeout(this.timer);
    this.text.textContent =
      code === SIGNED_OUT
        ? "You have been signed out. Load the page again to sign in; nothing you wrote is lost."
        : "This conversation is no longer open to you.";
    this.banner.hidden = false;
  }

  #draw() {
    this.banner.hidden = this.live && navigator.onLine;
    this.text.textContent = navigator.onLine
      ? "Reconnecting… What you write is kept and sent as soon as the connection is back."
      : "You are offline. What you write is kept here and sent when you are back.";
  }
}
