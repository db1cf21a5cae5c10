"""Real receivers of alerts on loopback: an HTTP server and an SMTP server that keep what they are told."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


def webhook() -> "contextmanager[tuple[str, list[dict[str, Any]]]]":
    """The address of an HTTP server, and the bodies it was sent."""
    bodies: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return _served(HTTPServer(("127.0.0.1", 0), Hook), "http://127.0.0.1:{}/hook", bodies)


def mailbox() -> "contextmanager[tuple[str, list[str]]]":
    """The address of an SMTP server, and the messages it took, recipients first."""
    letters: list[str] = []

    class Post(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            envelope = ""
            while line := self.rfile.readline().decode():
                verb = line[:4].upper()
                envelope += line if verb == "RCPT" else ""
                self.wfile.write({"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n"))
                if verb == "QUIT":
                    return
                if verb == "DATA":
                    lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                    letters.append(envelope + "".join(lines))
                    self.wfile.write(b"250 kept\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post)
    server.daemon_threads = True
    return _served(server, "smtp://127.0.0.1:{}", letters)


@contextmanager
def _served(server: Any, address: str, told: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield address.format(server.server_address[1]), told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
