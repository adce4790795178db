// The REST door: JSON in and out, CSRF from the cookie, and problem documents
// (RFC 9457) turned into one kind of error that carries a sentence for people.

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || "Something went wrong. Please try again.");
    this.status = status;
    this.problem = problem;
    this.traceId = problem.trace_id;
  }
}

export function csrfToken() {
  const pair = document.cookie.split("; ").find((cookie) => cookie.startsWith("csrftoken="));
  return pair ? decodeURIComponent(pair.slice("csrftoken=".length)) : "";
}

/** First field error if there is one: it says more than "validation failed". */
function sentence(problem) {
  const first = Array.isArray(problem.errors) ? problem.errors[0] : null;
  return first?.message ? { ...problem, detail: first.message } : problem;
}

export function problemFrom(status, text) {
  try {
    return sentence(JSON.parse(text));
  } catch {
    return status >= 500 ? { detail: "The server could not answer just now. Please try again." } : {};
  }
}

export async function api(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch {
    throw new ApiError(0, { detail: "No connection. Check your network and try again." });
  }
  const text = await response.text();
  if (!response.ok) throw new ApiError(response.status, problemFrom(response.status, text));
  return text ? JSON.parse(text) : null;
}
