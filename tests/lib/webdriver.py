"""A headless Chromium driven over the WebDriver protocol, with the standard library only.

    with webdriver.Browser() as browser:
        browser.go("file:///…/page.html")
        title = browser.script("return document.title")

One chromedriver and one browser for each Browser; both end with it. `available()` says whether they
are installed. Errors the browser reports are raised as webdriver.Error.
"""
import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, fixed by the standard


class Error(Exception):
    """What the browser or its driver refused, in its words."""


def available():
    return bool(shutil.which("chromedriver") and shutil.which("chromium"))


class Browser:
    def __init__(self, width=1280, height=900, arguments=(), preferences=None):
        self.folder = tempfile.mkdtemp(prefix="webdriver-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.base = f"http://127.0.0.1:{self._port()}"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={self.folder}", f"--window-size={width},{height}",
                   "--allow-file-access-from-files", "--hide-scrollbars", *arguments]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": options, "prefs": preferences or {}},
                  "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self._end()
            raise
        self.base += f"/session/{answer['sessionId']}"

    def _port(self):
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return found[1]
        raise Error("chromedriver did not start")

    def call(self, method, path, body=None):
        """The value that the driver answers a command of the session with."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Error(json.load(error)["value"]["message"].split("\n")[0]) from None

    def go(self, url):
        """Opens a page and waits until it has loaded."""
        self.call("POST", "/url", {"url": url})

    def back(self):
        self.call("POST", "/back", {})

    def script(self, text, *arguments):
        """The value a function body returns in the page; promises are awaited."""
        return self.call("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def until(self, text, seconds=30):
        """The first truthy value of a script, or its last one when the time is over."""
        end = time.monotonic() + seconds
        while not (value := self.script(text)) and time.monotonic() < end:
            time.sleep(0.05)
        return value

    def find(self, selector):
        """The first element that a CSS selector matches."""
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.call("POST", f"/element/{self.find(selector)}/click", {})

    def keys(self, selector, text):
        """Types into an element; a path typed into a file input uploads that file."""
        self.call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def actions(self, *sources):
        """Raw input: pointer and key sources as the WebDriver standard describes them."""
        self.call("POST", "/actions", {"actions": list(sources)})

    def screenshot(self, path):
        """What the window shows, as a PNG file."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))

    def messages(self):
        """What the page wrote to the console since the last call: level and text."""
        return [(m["level"], m["message"]) for m in self.call("POST", "/se/log", {"type": "browser"})]

    def _end(self):
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self._end()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()
