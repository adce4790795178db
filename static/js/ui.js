// What every page shares: theme, drawers and menus (Alpine), dialogs, toasts,
// local times, and htmx's manners. Loaded before Alpine, which it configures.

import { csrfToken } from "./api.js";
import { h, icon } from "./dom.js";
import { localiseTimes } from "./time.js";

// ---- Alpine components ----------------------------------------------------------

/** A panel that slides in on small screens and gives the focus back. */
const drawer = () => ({
  open: false,
  opener: null,
  get expanded() {
    return String(this.open);
  },
  get panelClass() {
    return this.open ? "is-open" : "";
  },
  show(event) {
    this.opener = event.currentTarget;
    this.open = true;
    this.$nextTick(() => this.$refs.panel.querySelector("button, a, input")?.focus());
  },
  hide() {
    if (!this.open) return;
    this.open = false;
    this.opener?.focus();
  },
});

/** A small list under a button; a click elsewhere or Escape closes it. */
const menu = () => ({
  open: false,
  get expanded() {
    return String(this.open);
  },
  toggle() {
    this.open = !this.open;
  },
  close() {
    this.open = false;
  },
  dismiss() {
    if (!this.open) return;
    this.open = false;
    this.$refs.button.focus();
  },
});

document.addEventListener("alpine:init", () => {
  window.Alpine.data("drawer", drawer);
  window.Alpine.data("menu", menu);
});

// ---- Theme -------------------------------------------------------------------------

const NEXT_THEME = { auto: "light", light: "dark", dark: "auto" };
const THEME_ICON = { auto: "auto", light: "sun", dark: "moon" };
const THEME_NAME = { auto: "as the system", light: "light", dark: "dark" };

function paintThemeButtons() {
  const theme = window.openCoachTheme.current();
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.setAttribute("aria-label", `Theme: ${THEME_NAME[theme]}. Change to ${THEME_NAME[NEXT_THEME[theme]]}.`);
    button.title = `Theme: ${THEME_NAME[theme]}`;
    button.querySelector("svg").replaceWith(icon(THEME_ICON[theme]));
    const name = button.querySelector("[data-theme-name]");
    if (name) name.textContent = `Theme: ${THEME_NAME[theme]}`;
  }
}

// ---- Dialogs -------------------------------------------------------------------------

export function openDialog(dialog) {
  dialog.showModal();
  return dialog;
}

/** Asks before something that cannot be undone. Resolves to true or false. */
export function confirmDialog({ title, text, action }) {
  const dialog = document.querySelector("[data-confirm-dialog]");
  dialog.querySelector("[data-title]").textContent = title;
  dialog.querySelector("[data-text]").textContent = text;
  dialog.querySelector("[data-action]").textContent = action;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// ---- Toasts ----------------------------------------------------------------------------

export function toast(text, kind = "") {
  const region = document.querySelector("[data-toasts]");
  const element = h("p", { class: `toast ${kind ? `toast-${kind}` : ""}` }, icon(kind === "danger" ? "alert" : "check"), text);
  region.append(element);
  setTimeout(() => element.remove(), kind === "danger" ? 8000 : 4000);
}

// ---- Delegated clicks --------------------------------------------------------------------

async function copyFrom(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    toast("Copied.");
  } catch {
    // No clipboard without https: select it, so that one key press copies it.
    getSelection().selectAllChildren(source);
    toast("Press Ctrl+C to copy.");
  }
}

function confirmThenSubmit(event) {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  confirmDialog({ title: form.dataset.confirm, text: form.dataset.confirmText ?? "", action: form.dataset.confirmAction ?? "Yes" }).then((yes) => {
    if (!yes) return;
    form.dataset.confirmed = "1";
    form.requestSubmit();
  });
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-toggle], [data-open-dialog], [data-close-dialog], [data-copy], [data-fill-login]");
  if (!target) {
    // A click on the backdrop lands on the dialog element itself.
    if (event.target instanceof HTMLDialogElement) event.target.close();
    return;
  }
  if ("themeToggle" in target.dataset) {
    window.openCoachTheme.set(NEXT_THEME[window.openCoachTheme.current()]);
    paintThemeButtons();
  } else if (target.dataset.openDialog) openDialog(document.getElementById(target.dataset.openDialog));
  else if ("closeDialog" in target.dataset) target.closest("dialog").close();
  else if (target.dataset.copy) copyFrom(target);
  else if (target.dataset.fillLogin) document.querySelector("[name=username]").value = target.dataset.fillLogin;
});

document.addEventListener("submit", confirmThenSubmit);

// ---- htmx --------------------------------------------------------------------------------

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrfToken();
});
document.addEventListener("htmx:load", (event) => localiseTimes(event.target));
document.addEventListener("htmx:sendError", () => toast("No connection. Please try again.", "danger"));
document.addEventListener("htmx:responseError", (event) => {
  // Signed out in another tab: the log-in page says it best.
  if ([401, 403].includes(event.detail.xhr.status)) location.reload();
  else toast("That did not work. Please try again.", "danger");
});

paintThemeButtons();
localiseTimes();
document.querySelector("dialog[data-open-now]")?.showModal();

// Only shows our own page when there is no network; see templates/sw.js.
navigator.serviceWorker?.register("/sw.js").catch(() => {});
