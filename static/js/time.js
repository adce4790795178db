// Times are UTC in the data and the reader's own zone on screen.

const LOCALE = document.documentElement.lang || undefined;
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "numeric", minute: "2-digit" });
const WEEKDAY = new Intl.DateTimeFormat(LOCALE, { weekday: "long" });
const WEEKDAY_SHORT = new Intl.DateTimeFormat(LOCALE, { weekday: "short" });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long" });
const DAY_SHORT = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const DAY_YEAR = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric" });
const FULL = new Intl.DateTimeFormat(LOCALE, { dateStyle: "long", timeStyle: "short" });

function daysAgo(date) {
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  return Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
}

export const clock = (iso) => CLOCK.format(new Date(iso));
export const full = (iso) => FULL.format(new Date(iso));

/** The reader's calendar day, as a key that compares. */
export function dayKey(iso) {
  const date = new Date(iso);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

export function dayLabel(iso) {
  const date = new Date(iso);
  const ago = daysAgo(date);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  if (ago > 1 && ago < 7) return WEEKDAY.format(date);
  return date.getFullYear() === new Date().getFullYear() ? DAY.format(date) : DAY_YEAR.format(date);
}

/** Short, for lists: a clock today, a weekday this week, a date before that. */
export function short(iso) {
  const date = new Date(iso);
  const ago = daysAgo(date);
  if (ago === 0) return CLOCK.format(date);
  if (ago === 1) return "Yesterday";
  return ago > 1 && ago < 7 ? WEEKDAY_SHORT.format(date) : DAY_SHORT.format(date);
}

const FORMATS = { short, clock, full, day: (iso) => DAY_YEAR.format(new Date(iso)), relative: dayLabel };

/** Rewrites server-rendered <time data-local="short" datetime="…"> in place. */
export function localiseTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const format = FORMATS[element.dataset.local];
    if (!format || !element.dateTime) continue;
    element.textContent = format(element.dateTime);
    element.title = full(element.dateTime);
  }
}
