"""`python app.py` as a visitor starts it: offline, with the bundled model, in a process of its own.

The figures are printed: `python -m pytest tests/app/test_start.py -s`.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.conftest import wait_ready

ROOT = Path(__file__).parents[2]
PAGE_SECONDS = 10.0
FIRST_SOUND_SECONDS = 1.0


class App:
    """A started process and the address that it printed."""

    def __init__(self, folder: Path):
        environment = {**os.environ, "CALM_OFFLINE": "1", "CALM_DATA_DIR": str(folder)}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "app.py", "--port", "0"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert " at http://127.0.0.1:" in line, line
        self.url = line.split(" at ")[1].strip()

    def cpu_seconds(self) -> float:
        """Processor time so far, which other work on the machine does not lengthen."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()  # pyright: ignore[reportOptionalMemberAccess]


def importing() -> float:
    """Processor time that the packages alone take on this machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import torch, gradio"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = App(tmp_path_factory.mktemp("data"))
    yield app
    if app.process.poll() is None:
        app.end()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processor time from /proc")
def test_the_page_answers_within_ten_seconds_or_soon_after_its_packages_on_a_slower_machine(app: App) -> None:
    page = httpx.get(app.url, timeout=60)
    wall, cpu = time.monotonic() - app.began, app.cpu_seconds()
    print(f"\npage after {wall:.1f} s ({cpu:.1f} s of processor time)")
    assert page.status_code == 200
    assert "Calm" in page.text or "gradio" in page.text
    assert min(wall, cpu) < max(PAGE_SECONDS, 1.3 * importing())


@pytest.mark.browser
@pytest.mark.bundled
def test_the_bundled_model_is_heard_within_a_second(app: App, browser) -> None:
    wait_ready(app.url)
    page = browser.new_page()
    page.goto(app.url)
    page.wait_for_selector("body[data-ready]")
    waits = []
    for text in ("The boats came home before the rain.", "Nobody in the harbour was surprised."):
        page.fill("#text textarea", text)
        page.click("#speak")
        page.wait_for_function("!document.querySelector('.player .alert').textContent", timeout=5_000)
        page.wait_for_function("document.querySelector('.player .status').textContent.startsWith('Done')")
        page.wait_for_function("document.querySelector('.player .first').textContent.endsWith('s')")
        waits.append(float(page.evaluate("document.querySelector('.player').dataset.firstSound")))
    print(f"\nfirst sound after {', '.join(f'{wait:.2f} s' for wait in waits)}")
    assert min(waits) < FIRST_SOUND_SECONDS
    page.close()


@pytest.mark.browser
def test_the_server_ends_with_a_page_open(app: App, browser) -> None:
    page = browser.new_page()
    page.goto(app.url)
    page.wait_for_selector("#speak")
    began = time.monotonic()
    code = app.end()
    print(f"\nended after {time.monotonic() - began:.1f} s")
    assert code in (0, -signal.SIGTERM)
    page.close()


def test_ctrl_c_ends_without_a_complaint(tmp_path: Path) -> None:
    app = App(tmp_path)
    assert httpx.get(app.url + "/healthz", timeout=60).status_code in (200, 503)  # while it loads its model
    app.process.send_signal(signal.SIGINT)
    _, rest = app.process.communicate(timeout=60)
    assert app.process.returncode == 0 and "Traceback" not in rest, rest


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([], {"CALM_MAX_TEXT_CHARS": "many"}, "CALM_MAX_TEXT_CHARS"),
        ([], {"CALM_DATABASE_URL": "nonsense"}, "CALM_DATABASE_URL"),
        (["--host", "203.0.113.7"], {}, "203.0.113.7"),
        (["--port", "99999"], {}, "CALM_PORT"),
    ],
)
def test_a_start_that_cannot_work_is_one_sentence(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], words: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "CALM_DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
