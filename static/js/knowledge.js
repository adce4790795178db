// Knowledge: upload, paste, delete, and try a question against what is there.

import { api, ApiError, csrfToken, problemFrom } from "./api.js";
import { h } from "./dom.js";
import { passageCard } from "./passages.js";
import { confirmDialog, toast } from "./ui.js";

const KINDS = /\.(txt|text|md|markdown)$/i;
const POLL_MS = 2500;
const SAME_TEXT = 200; // 201 is a new document.

const root = document.querySelector("[data-knowledge]");
const documents = root.querySelector("[data-documents]");
const refresh = () => documents.dispatchEvent(new CustomEvent("refresh"));

// ---- Upload ----------------------------------------------------------------------------

/** XMLHttpRequest, since fetch cannot tell how much of an upload has left. */
function send(file, onProgress) {
  const body = new FormData();
  body.append("file", file);
  const request = new XMLHttpRequest();
  request.open("POST", "/api/v1/documents/");
  request.setRequestHeader("X-CSRFToken", csrfToken());
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
  return new Promise((resolve, reject) => {
    request.addEventListener("load", () =>
      request.status < 300 ? resolve(request.status) : reject(new ApiError(request.status, problemFrom(request.status, request.responseText))),
    );
    request.addEventListener("error", () => reject(new ApiError(0, { detail: "The connection broke. Try again." })));
    request.send(body);
  });
}

function queue(file) {
  const progress = h("progress", { max: "1", value: "0", "aria-label": `Uploading ${file.name}` });
  const note = h("span", { class: "muted" }, "Waiting…");
  const line = h("li", { class: "upload" }, h("span", { class: "truncate" }, file.name), note, progress);
  root.querySelector("[data-uploads]").append(line);
  return { file, line, note, progress };
}

async function upload({ file, line, note, progress }) {
  if (!KINDS.test(file.name)) return refuse(line, note, progress, "Only .txt and .md files for now.");
  note.textContent = "Uploading…";
  try {
    const status = await send(file, (part) => {
      progress.value = part;
    });
    if (status === SAME_TEXT) toast(`“${file.name}” is in your knowledge already.`);
    line.remove();
    refresh();
  } catch (problem) {
    refuse(line, note, progress, problem.message);
  }
}

function refuse(line, note, progress, reason) {
  progress.remove();
  note.className = "field-error";
  note.textContent = reason;
  line.append(h("button", { type: "button", class: "button button-text button-small", onclick: () => line.remove() }, "Dismiss"));
}

/** One after the other: a folder of files must not open a hundred uploads at once. */
async function uploadAll(files) {
  for (const waiting of files.map(queue)) await upload(waiting);
}

const zone = root.querySelector("[data-dropzone]");
const input = root.querySelector("[data-file-input]");
root.querySelector("[data-choose]").addEventListener("click", () => input.click());
input.addEventListener("change", () => {
  uploadAll([...input.files]);
  input.value = "";
});
for (const type of ["dragenter", "dragover"]) {
  zone.addEventListener(type, (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
}
for (const type of ["dragleave", "drop"]) zone.addEventListener(type, () => zone.classList.remove("is-over"));
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  uploadAll([...event.dataTransfer.files]);
});

// ---- Paste -------------------------------------------------------------------------------

const paste = document.querySelector("[data-paste-form]");
paste.addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = paste.querySelector("[data-error]");
  const button = paste.querySelector("[type=submit]");
  const data = new FormData(paste);
  error.hidden = true;
  button.disabled = true;
  try {
    await api("POST", "documents/", { title: data.get("title"), text: data.get("text") });
    paste.reset();
    paste.closest("dialog").close();
    refresh();
  } catch (problem) {
    error.textContent = problem.message;
    error.hidden = false;
  } finally {
    button.disabled = false;
  }
});

// ---- List --------------------------------------------------------------------------------

documents.addEventListener("click", (event) => {
  const button = event.target.closest("[data-delete], [data-again]");
  if (button?.dataset.delete) askAndDelete(button);
  else if (button) change("POST", `documents/${button.dataset.again}/reprocess/`);
});

async function askAndDelete(button) {
  const sure = await confirmDialog({
    title: `Delete “${button.dataset.title}”?`,
    text: "The clone stops using it at once. Answers that already cite it stay as they are.",
    action: "Delete",
  });
  if (sure && (await change("DELETE", `documents/${button.dataset.delete}/`))) toast("Deleted.");
}

async function change(method, path) {
  try {
    await api(method, path);
    refresh();
    return true;
  } catch (problem) {
    toast(problem.message, "danger");
    return false;
  }
}

// While something is being read, look again; otherwise leave the server alone.
setInterval(() => {
  if (document.visibilityState === "visible" && documents.querySelector("[data-busy]")) refresh();
}, POLL_MS);

// ---- Try a question -----------------------------------------------------------------------

const search = root.querySelector("[data-search-form]");
const results = root.querySelector("[data-results]");
search.addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = new FormData(search).get("query").trim();
  if (!query) return;
  results.replaceChildren(h("p", { class: "muted" }, "Searching…"));
  try {
    const answer = await api("POST", "knowledge/search/", { query });
    const found = answer.results;
    results.replaceChildren(
      found.length
        ? h("ol", { class: "stack passages" }, found.map(passageCard))
        : h("p", { class: "muted" }, "Nothing comes close enough: the clone would answer this without a source."),
    );
  } catch (problem) {
    results.replaceChildren(h("p", { class: "notice notice-danger" }, problem.message));
  }
});
