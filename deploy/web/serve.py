"""Serves this folder with the two headers that let the page use several threads.

python deploy/web/serve.py 8000
"""

import functools
import http.server
import pathlib
import sys

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers with files, isolated from other origins."""

    # Pythons know the type of .mjs or not; browsers run no module of another.
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self):
        """Adds the headers to every answer."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()


def server(port: int, folder: pathlib.Path) -> http.server.ThreadingHTTPServer:
    """A server of a folder, on this machine alone."""
    handler = functools.partial(Handler, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    with server(int(sys.argv[1]), pathlib.Path(__file__).parent) as serving:
        print(f"http://127.0.0.1:{serving.server_port}/")
        serving.serve_forever()
