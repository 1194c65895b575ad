"""A small server that answers one download as the gateway documents, and the command that asks it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.cli.main import _exit_code


class Platform:
    """Answers with some content, and remembers what it was asked."""

    def __init__(self, content: bytes) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.status = 200
        self.content = content
        self.missing = 0
        """How many bytes are announced and never sent."""


@contextmanager
def answering(content: bytes, **headers: str) -> Iterator[Platform]:
    made = Platform(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(made.status)
            self.send_header("content-length", str(len(made.content) + made.missing))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(made.content)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Command:
    """`trellis roster NAME OUT`, as somebody types it."""

    def __init__(
        self,
        name: str,
        out: Path,
        platform: Platform,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.out = out
        self._name, self._platform, self._monkeypatch, self._capsys = name, platform, monkeypatch, capsys

    def run(self, *options: str, out: Path | None = None) -> tuple[int, str, str]:
        asked = ["trellis", "roster", self._name, str(out or self.out), "--url", self._platform.url, "--key", "k"]
        self._monkeypatch.setattr("sys.argv", [*asked, "--home", str(self.out.parent), *options])
        code = _exit_code()
        said = self._capsys.readouterr()
        return code, said.out, said.err
