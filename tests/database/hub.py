"""A Hub in a folder: what the Hub's client asks for to make, write, list and read a dataset, over HTTP on loopback."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    down = False
    token = "hf_test"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        place = f"http://{self.headers['Host']}"
        if self.down:
            self.answer({"error": "the Hub is upset"}, 418)
        elif self.headers.get("Authorization") != f"Bearer {self.token}":
            self.answer({"error": "no token"}, 401)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            assert asked["visibility"] == "private" and asked["type"] == "dataset"
            (self.folder / asked["organization"] / asked["name"]).mkdir(parents=True, exist_ok=True)
            self.answer({"url": f"{place}/datasets/{asked['organization']}/{asked['name']}"})
        elif path.startswith("/api/datasets/"):
            owner, name, verb, *rest = [*path.removeprefix("/api/datasets/").split("/"), ""]
            self.dataset(self.folder / owner / name, verb, "/".join(rest[1:]), body)
        elif path.startswith("/datasets/") and "/resolve/main/" in path:
            repo, _, name = path.removeprefix("/datasets/").partition("/resolve/main/")
            raw = (self.folder / repo / name).read_bytes()
            self.answer(raw, ETag=f'"{hashlib.sha256(raw).hexdigest()}"', X_Repo_Commit="1" * 40)
        else:
            self.answer({"error": f"not here: {path}"}, 404)

    def dataset(self, repo: Path, verb: str, _: str, body: bytes) -> None:
        if not repo.is_dir():
            self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        elif verb == "tree":
            files = sorted(path for path in repo.rglob("*") if path.is_file())
            self.answer(
                [
                    {"type": "file", "path": str(path.relative_to(repo)), "size": path.stat().st_size, "oid": "0" * 40}
                    for path in files
                ]
            )
        elif verb == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            self.answer({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]})
        elif verb == "commit":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    target = repo / line["value"]["path"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(base64.b64decode(line["value"]["content"]))
            self.answer({"commitUrl": "http://127.0.0.1/commit/" + "1" * 40, "commitOid": "1" * 40})
        else:
            self.answer({"id": "/".join(repo.parts[-2:]), "sha": "1" * 40, "siblings": [], "private": True})

    do_GET = do_HEAD = do_POST = handle_request


@contextmanager
def folder_hub(folder: Path) -> Iterator[tuple[str, type[Handler]]]:
    """The address of a Hub that keeps its datasets in `folder`, and its handler, whose `down` makes it fail."""
    handler = type("FolderHub", (Handler,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    thread.join()
    server.server_close()
