// The writing box: grows with the text, keeps a draft, sends on Enter. While an
// input method composes (Japanese, Chinese, Korean…), Enter belongs to it.

const LIMIT = 8000;
const WARN_AT = 7500;
const TYPING_EVERY_MS = 3000;

export class Composer {
  constructor(form, { draftKey, onSend, onTyping = () => {} }) {
    this.form = form;
    this.input = form.querySelector("textarea");
    this.button = form.querySelector("[data-send]");
    this.counter = form.querySelector("[data-counter]");
    this.draftKey = `opencoach.draft.${draftKey}`;
    this.onSend = onSend;
    this.onTyping = onTyping;
    this.lastTyping = 0;
    this.input.value = this.#draft();
    this.#changed();
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  fill(text) {
    this.input.value = text;
    this.#typed();
    this.focus();
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  submit() {
    const text = this.input.value.trim();
    if (!text || this.#length() > LIMIT) return;
    this.input.value = "";
    this.#changed();
    this.onSend(text);
  }

  #key(event) {
    // keyCode 229: Safari reports the Enter that ends a composition this way.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submit();
  }

  #typed() {
    this.#changed();
    const now = Date.now();
    if (this.input.value && now - this.lastTyping > TYPING_EVERY_MS) {
      this.lastTyping = now;
      this.onTyping();
    }
  }

  #changed() {
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight}px`;
    const length = this.#length();
    this.button.disabled = !this.input.value.trim() || length > LIMIT;
    this.counter.hidden = length < WARN_AT;
    this.counter.classList.toggle("is-over", length > LIMIT);
    this.counter.textContent =
      length > LIMIT ? `${length - LIMIT} characters too long` : `${LIMIT - length} characters left`;
    this.#keep();
  }

  /** In characters as people count them; exact only where the limit is near. */
  #length() {
    const { value } = this.input;
    return value.length < WARN_AT ? value.length : [...value].length;
  }

  #draft() {
    try {
      return localStorage.getItem(this.draftKey) ?? "";
    } catch {
      return "";
    }
  }

  #keep() {
    try {
      if (this.input.value) localStorage.setItem(this.draftKey, this.input.value);
      else localStorage.removeItem(this.draftKey);
    } catch {
      // No storage, no draft: nothing else depends on it.
    }
  }
}
