// Runs before the first paint (a plain script, not a module), so that a page
// never flashes in the other theme. The choice lives on this device only.
(() => {
  const KEY = "opencoach.theme";
  const root = document.documentElement;

  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };

  let stored = null;
  try {
    stored = localStorage.getItem(KEY);
  } catch {
    // Storage may be blocked; the system's choice then holds.
  }
  apply(stored);

  window.openCoachTheme = {
    current: () => root.dataset.theme || "auto",
    set(theme) {
      apply(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // As above: it holds for this page.
      }
    },
  };
})();
