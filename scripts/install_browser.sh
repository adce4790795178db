#!/bin/sh
# The browser tests want a Chromium: one that is there, the system's, or Playwright's own.
set -u

browser_works() {
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        # Ubuntu has a chromium-browser that only says where to get the real one.
        if "$browser" --version >/dev/null 2>&1; then return 0; fi
    done
    [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

playwright_browser_works() {
    .venv/bin/python - 2>/dev/null <<'PYTHON'
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.path.exists(playwright.chromium.executable_path))
PYTHON
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_from_system() {
    command -v apt-get >/dev/null || return 1
    as_root true 2>/dev/null || return 1
    as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends chromium
}

install_from_playwright() {
    if as_root true 2>/dev/null; then
        .venv/bin/python -m playwright install --with-deps chromium
    else
        .venv/bin/python -m playwright install chromium
    fi
}

browser_works && exit 0
playwright_browser_works && exit 0
echo "No Chromium found: installing one for the browser tests."
install_from_system && browser_works && exit 0
install_from_playwright && exit 0
echo "Could not install a browser. Put chromium or google-chrome on the PATH and run again." >&2
exit 1
