// Keeps the newest message in view for who reads at the end, and leaves alone
// who scrolled up: for them a pill counts what arrived below.

const NEAR_PX = 96;

export class Scroller {
  constructor(view, inner, pill, { onTop = () => {} } = {}) {
    this.view = view;
    this.pill = pill;
    this.following = true;
    this.missed = 0;
    this.onTop = onTop;
    view.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    pill.addEventListener("click", () => this.toEnd());
    // One observer for every reason to grow: tokens, images of text, a taller
    // composer, the keyboard of a phone.
    this.observer = new ResizeObserver(() => this.following && this.#jump());
    this.observer.observe(inner);
    this.observer.observe(view);
  }

  stop() {
    this.observer.disconnect();
  }

  toEnd() {
    this.following = true;
    this.#forget();
    this.#jump();
  }

  /** Something new was added at the end. */
  arrived() {
    if (this.following) return;
    this.missed += 1;
    this.pill.hidden = false;
    this.pill.querySelector("[data-pill-text]").textContent =
      this.missed === 1 ? "1 new message" : `${this.missed} new messages`;
  }

  /** Runs `change`, which adds content above, without moving what is being read. */
  keepPlace(change) {
    const fromEnd = this.view.scrollHeight - this.view.scrollTop;
    change();
    this.view.scrollTop = this.view.scrollHeight - fromEnd;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.view;
    this.following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.following) this.#forget();
    if (scrollTop < NEAR_PX * 2) this.onTop();
  }

  #forget() {
    this.missed = 0;
    this.pill.hidden = true;
  }

  #jump() {
    this.view.scrollTop = this.view.scrollHeight;
  }
}
