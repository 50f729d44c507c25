# The HTML page: its file (fast), and in a real headless Chromium.
TAPS += tests/html/page.t
LONG += tests/html/browser.t tests/html/exact.t
