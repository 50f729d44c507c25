"""A headless Chromium driven over the WebDriver protocol, with Python's standard library only."""
import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"up": "\ue013", "down": "\ue015", "left": "\ue012", "right": "\ue014", "enter": "\ue007",
        "escape": "\ue00c", "tab": "\ue004", "home": "\ue011"}


def installed():
    return bool(shutil.which("chromedriver") and shutil.which("chromium"))


class Browser:
    """One window. Use as a context manager: driver and browser end with it."""

    def __init__(self, width=1400, height=1000, theme="light", javascript=True):
        self.folder = tempfile.mkdtemp(prefix="valtrace-browser-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.base = None
        self.base = f"http://127.0.0.1:{self._port()}"
        preferences = {} if javascript else {"profile.managed_default_content_settings.javascript": 2}
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                     "--disable-dev-shm-usage", f"--user-data-dir={self.folder}"]
        answer = self._send("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": arguments,
                                   "prefs": preferences}}}})
        self.base += f"/session/{answer['sessionId']}"
        self.theme(theme)
        self.resize(width, height)

    def _port(self):
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                return int(line.rsplit(" ", 1)[1].strip().rstrip("."))
        raise RuntimeError("chromedriver did not start")

    def _send(self, method, path, body=None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")[:600]) from None

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        try:
            self._send("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.driver.stdout.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def cdp(self, command, **parameters):
        return self._send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def theme(self, name, reduced_motion=False):
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])

    def resize(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def go(self, path):
        """Loads a file that has no scripts to wait for."""
        self._send("POST", "/url", {"url": f"file://{path}"})

    def open(self, path, fragment=""):
        """Loads a file; with JavaScript, waits until the page has drawn itself."""
        self._send("POST", "/url", {"url": "about:blank"})
        self._send("POST", "/url", {"url": f"file://{path}{fragment}"})
        self.wait("return document.documentElement.dataset.ready === '1'")

    def wait(self, script):
        """Waits until the script returns something true."""
        for _ in range(600):
            if self.js(script):
                return
            time.sleep(0.05)
        raise RuntimeError(f"not within 30 s: {script}; {self.log()}")

    def js(self, script, *arguments):
        return self._send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self):
        return [entry["message"] for entry in self._send("POST", "/se/log", {"type": "browser"})]

    def find(self, css):
        return self._send("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self._send("POST", f"/element/{self.find(css)}/click")

    def text(self, css):
        return self.js("const e = document.querySelector(arguments[0]); return e && e.textContent", css)

    def type(self, css, text):
        self._send("POST", f"/element/{self.find(css)}/value", {"text": text})

    def press(self, *keys):
        """Presses keys of KEYS, or characters, wherever the focus is."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._send("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def drag(self, points):
        """Moves the pointer through points of the window with the button down."""
        move = [{"type": "pointerMove", "duration": 20, "x": round(x), "y": round(y)} for x, y in points]
        self._send("POST", "/actions", {"actions": [{
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
            "actions": [move[0], {"type": "pointerDown", "button": 0}, *move[1:], {"type": "pointerUp", "button": 0}]}]})

    def back(self):
        self._send("POST", "/back")

    def screenshot(self, path, full=False):
        options = {"format": "png", "captureBeyondViewport": full}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.cdp("Page.captureScreenshot", **options)["data"]))
