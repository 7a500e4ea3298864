"""A real JupyterLab on 127.0.0.1, and a notebook in it driven through headless Chromium."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
_CONNECTED = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
_QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def chromium() -> str | None:
    """The installed browser; ``STATEBOOK_CHROMIUM`` names another."""
    names = (os.environ.get("STATEBOOK_CHROMIUM", ""), *CHROMIUM)
    return next((name for name in names if name and Path(name).exists()), None)


class Server:
    """Where JupyterLab listens, its token and its notebook folder."""

    def __init__(self, port: int, token: str, root: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.token = token
        self.root = root

    def notebook(self, name: str, *sources: str) -> str:
        """Write a notebook with these code cells; its name."""
        import nbformat

        return self.write(name, [nbformat.v4.new_code_cell(source) for source in sources])

    def write(self, name: str, cells: list[Any]) -> str:
        """Write a notebook of these cells; its name."""
        import nbformat

        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), self.root / name)
        return name

    def request(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The server's REST interface."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as response:
            text = response.read()
        return json.loads(text) if text else None

    def shut_down_kernels(self) -> None:
        """End every kernel of this server."""
        for kernel in self.request("/api/kernels"):
            self.request(f"/api/kernels/{kernel['id']}", "DELETE")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(home: Path, extra: dict[str, str]) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY", "STATEBOOK"))}
    env |= {"JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data")}
    env |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime"), "IPYTHONDIR": str(home / "ipython"), "HOME": str(home)}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    settings = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(_QUIET))
    return env | extra


@contextmanager
def serve(
    root: Path, home: Path, *, python: str = sys.executable, env: dict[str, str] | None = None
) -> Iterator[Server]:
    """Run ``jupyter lab`` over the folder ``root``, with its own settings under ``home``."""
    port, token = _free_port(), secrets.token_hex(16)
    root.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.collaborative=False"]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=_environment(home, env or {})
        )
        server = Server(port, token, root)
        try:
            _wait_until_up(server, process, home / "server.log")
            yield server
            server.shut_down_kernels()
        finally:
            process.terminate()
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            server.request("/api/status")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"jupyter lab did not start:\n{log.read_text(errors='replace')[-3000:]}")


class Notebook:
    """One notebook open in one page."""

    def __init__(self, page: Any, server: Server, name: str) -> None:
        self.page = page
        self._server = server
        page.goto(f"{server.url}/lab/tree/{name}?reset&token={server.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        # the indicator says idle before the kernel is connected, and a cell executed in between is lost
        page.wait_for_function(_CONNECTED, timeout=60_000)

    def cell(self, index: int) -> Any:
        """The cell's element."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def start(self, index: int) -> None:
        """Execute a cell by the keyboard; a keystroke right after loading can be lost, so until the prompt moves."""
        before = self._prompt(index)
        for _ in range(10):
            self.dismiss_dialogs()
            self.cell(index).locator(".cm-content").first.click()
            self.page.keyboard.press("Control+Enter")
            end = time.monotonic() + 1
            while time.monotonic() < end:
                if self._prompt(index) != before:
                    return
                time.sleep(0.02)
        raise TimeoutError(f"cell {index} did not start")

    def finished(self, index: int, timeout: float = 60) -> str:
        """Wait until a started cell is done; the text of its output."""
        end = time.monotonic() + timeout
        while not re.match(r"\[\d+\]", self._prompt(index)):
            if time.monotonic() > end:
                raise TimeoutError(f"cell {index}: {self._prompt(index)!r}: {self.output(index)[-800:]}")
            time.sleep(0.05)
        return self.output(index)

    def run(self, index: int, timeout: float = 60) -> str:
        """Execute a cell and wait for it; the text of its output."""
        self.start(index)
        return self.finished(index, timeout)

    def outputs(self, index: int) -> Any:
        """The element of the cell's outputs."""
        return self.cell(index).locator(".jp-OutputArea").first

    def output(self, index: int) -> str:
        """The visible text of a cell's outputs."""
        return "\n".join(self.cell(index).locator(".jp-OutputArea-output").all_inner_texts())

    def _prompt(self, index: int) -> str:
        return str(self.cell(index).locator(".jp-InputPrompt").first.inner_text()).strip()

    def dismiss_dialogs(self) -> None:
        """Accept whatever modal dialog stands in the way."""
        dialogs = self.page.locator("dialog.jp-Dialog")
        while dialogs.count():
            dialogs.first.locator("button.jp-mod-accept").first.click()
            self.page.wait_for_timeout(200)

    def command(self, name: str, **arguments: Any) -> None:
        """Execute one of JupyterLab's commands."""
        self.page.evaluate("([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments])

    def theme(self, name: str) -> None:
        """``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.command("apputils:change-theme", theme=name)
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached", timeout=20_000)
        self.page.wait_for_timeout(400)

    def save(self, name: str) -> Any:
        """Save the notebook; its content as on disk."""
        import nbformat

        path = self._server.root / name
        before = path.stat().st_mtime_ns
        self.command("docmanager:save")
        end = time.monotonic() + 20
        while path.stat().st_mtime_ns == before:
            if time.monotonic() > end:
                raise TimeoutError(f"{name} was not saved")
            time.sleep(0.05)
        time.sleep(0.2)
        return nbformat.read(path, as_version=4)
