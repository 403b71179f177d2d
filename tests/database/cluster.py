"""A PostgreSQL server of the tests' own: on loopback, in a temporary folder, as a user that is not root."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`; Debian keeps them off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which("pg_ctl")
    return folders[-1] if folders else Path(found).parent if found else None


class Cluster:
    """Starts at once. Unless `durable`, it leaves writing to the disk to the kernel, which outlives its crashes."""

    def __init__(self, folder: Path, *, durable: bool = False):
        self._bin = folder
        self._root = Path(tempfile.mkdtemp(prefix="calm-postgresql-"))
        self._data = self._root / "data"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._user = None
        if os.geteuid() == 0:  # the server refuses to run as root
            self._user = pwd.getpwnam("postgres")
            os.chown(self._root, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-D", self._data, "-U", "calm", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        with open(self._data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n"
                f"max_connections = 200\nshared_buffers = 64MB\nfsync = {'on' if durable else 'off'}\n"
            )
        self.start()

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        user = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        done = subprocess.run(
            command, cwd=self._root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60, **user,
        )  # fmt: skip
        assert done.returncode == 0, f"{program} failed: {done.stdout}"

    def start(self) -> None:
        # with a log file, or the server keeps our pipe open
        self._run("pg_ctl", "start", "-w", "-s", "-D", self._data, "-l", self._root / "log")

    def stop(self, mode: str = "fast") -> None:
        """`fast` cuts every connection, `immediate` is a crash: the next start recovers."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", mode, "-D", self._data)

    def create(self, name: str) -> str:
        """The address of a new, empty database."""
        with psycopg.connect(f"postgresql://calm@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://calm@127.0.0.1:{self.port}/{name}"

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self._root)
