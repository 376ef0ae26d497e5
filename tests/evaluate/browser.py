"""A headless Chromium, driven through chromedriver's JSON over HTTP, which needs no package."""

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

START_S = 20


class Browser:
    def __init__(self, profile: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._root = f"http://127.0.0.1:{port}"
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self._session = self._start(profile)
        except BaseException:
            self._driver.kill()
            raise

    def _start(self, profile: Path) -> str:
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={profile}",
        ]
        capabilities = {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": options},
                "goog:loggingPrefs": {"browser": "ALL"},
            }
        }
        deadline = time.monotonic() + START_S
        while True:
            try:
                return str(self._post("session", {"capabilities": capabilities}, "")["sessionId"])
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _post(self, command: str, body: dict[str, Any], session: str | None = None) -> Any:
        prefix = f"session/{self._session}/" if session is None else ""
        request = urllib.request.Request(
            f"{self._root}/{prefix}{command}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def open(self, page: Path) -> None:
        self._post("url", {"url": page.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function returns; a promise's value."""
        waiting = "const done = arguments[arguments.length - 1];"
        body = f"{waiting} Promise.resolve((() => {{ {script} }})(...arguments)).then(done, (e) => done('' + e));"
        return self._post("execute/async", {"script": body, "args": list(arguments)})

    def type(self, keys: str) -> None:
        """Into whatever has the focus."""
        pressed = [{"type": step, "value": key} for key in keys for step in ("keyDown", "keyUp")]
        self._post("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": pressed}]})

    def resize(self, width: int, height: int) -> None:
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._devtools("Emulation.setDeviceMetricsOverride", screen)
        # Until it is drawn at that width, which on a busy machine is not at once.
        self.run("return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    def prefer(self, scheme: str) -> None:
        self._devtools(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )

    def _devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, whole: bool = False) -> bytes:
        parameters = {"format": "png", "captureBeyondViewport": whole}
        return base64.b64decode(self._devtools("Page.captureScreenshot", parameters)["data"])

    def errors(self) -> list[str]:
        """Of the console since the last call."""
        return [
            entry["message"]
            for entry in self._post("se/log", {"type": "browser"})
            if entry["level"] == "SEVERE"
        ]

    def close(self) -> None:
        try:
            urllib.request.urlopen(
                urllib.request.Request(f"{self._root}/session/{self._session}", method="DELETE"), timeout=30
            ).close()
        finally:
            self._driver.terminate()
            self._driver.wait(30)
