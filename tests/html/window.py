"""A window of a browser in which a page of valtrace is open: it waits until the page has drawn itself, and is
used as a person does, by pointer and keyboard."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import webdriver  # noqa: E402

KEYS = {"up": "\ue013", "down": "\ue015", "left": "\ue012", "right": "\ue014", "enter": "\ue007",
        "escape": "\ue00c", "tab": "\ue004", "home": "\ue011"}


class Window(webdriver.Browser):
    def __init__(self, width=1400, height=1000, theme="light", javascript=True):
        super().__init__(preferences={} if javascript else {"profile.managed_default_content_settings.javascript": 2})
        self.theme(theme)
        self.resize(width, height)

    def cdp(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def theme(self, name, reduced_motion=False):
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])

    def resize(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, path, fragment=""):
        """Loads a file; waits until the page has drawn itself."""
        self.go("about:blank")
        self.go(f"file://{path}{fragment}")
        assert self.until("return document.documentElement.dataset.ready === '1'"), self.messages()

    def text(self, css):
        return self.script("const e = document.querySelector(arguments[0]); return e && e.textContent", css)

    def press(self, *keys):
        """Presses keys of KEYS, or characters, wherever the focus is."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.actions({"type": "key", "id": "keyboard", "actions": actions})

    def drag(self, points):
        """Moves the pointer through points of the window with the button down."""
        move = [{"type": "pointerMove", "duration": 20, "x": round(x), "y": round(y)} for x, y in points]
        self.actions({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                      "actions": [move[0], {"type": "pointerDown", "button": 0}, *move[1:], {"type": "pointerUp", "button": 0}]})
