"""Debian's chromium without a window, driven over its DevTools protocol: load a page, press keys, ask it questions."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

START_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The browser's program; without one the test is skipped by name."""
    there = next((path for name in NAMES if (path := shutil.which(name))), None)
    if there is None:
        pytest.skip("no chromium: install Debian's package chromium")
    return there


class Page:
    """One tab."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: Any) -> None:
        self._loop, self._socket, self._number = loop, socket, 0

    def open(self, file: Path) -> None:
        self._call("Page.navigate", url=file.resolve().as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def press(self, key: str) -> None:
        """One key, by the name that events have, as a keyboard sends it."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, **(text if kind == "keyDown" else {}))

    def write(self, text: str) -> None:
        self._call("Input.insertText", text=text)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, patience_s: float = 20.0) -> None:
        end = time.monotonic() + patience_s
        while not self.ask(expression):
            assert time.monotonic() < end, f"{expression} never came true"
            time.sleep(0.05)

    def downloads_go_to(self, folder: Path) -> None:
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def _call(self, method: str, **words: Any) -> Any:
        self._number += 1
        number = self._number

        async def talk() -> Any:
            await self._socket.write_message(json.dumps({"id": number, "method": method, "params": words}))
            while True:
                answer = json.loads(await self._socket.read_message())
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    return answer["result"]

        return self._loop.run_until_complete(asyncio.wait_for(talk(), START_S))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A tab of a browser with a profile of its own."""
    from tornado.websocket import websocket_connect

    switches = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0")
    program = subprocess.Popen(
        [chromium(), *switches, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    loop = asyncio.new_event_loop()
    try:
        port = _port(profile / "DevToolsActivePort", program)
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        socket = loop.run_until_complete(_connected(websocket_connect, tab["webSocketDebuggerUrl"]))
        yield Page(loop, socket)
        socket.close()
    finally:
        program.terminate()
        program.wait(timeout=30)
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()


async def _connected(connect: Any, address: str) -> Any:
    return await connect(address, max_message_size=2**28)


def _port(file: Path, program: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + START_S
    while not (file.is_file() and file.read_text().strip()):
        assert program.poll() is None, f"chromium ended with {program.returncode}"
        assert time.monotonic() < end, "chromium did not start"
        time.sleep(0.1)
    return int(file.read_text().split()[0])
