import json
from dataclasses import replace

import pytest

from evaluation.benchmarks import sampler
from evaluation.benchmarks._sampler_systems import Sizes, Task, Took
from evaluation.benchmarks.sampler import MUSIC, SPEECH
from evaluation.errors import InputError


def tiny(task: Task) -> Task:
    small = Sizes(32, 2, 64, 4)
    return replace(
        task, backbone=small, rq=small, mlp=Sizes(32, 2), short=task.short and small, context=5, codes=20,
        text=task.text and 50,
    )  # fmt: skip


def test_the_benchmark_prints_one_object_with_the_promised_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sampler, "TASKS", {"speech": tiny(SPEECH), "music": tiny(MUSIC)})
    assert sampler.main(["--frames", "2", "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"precision", "device", "threads", "clock", "speech", "music"}
    for name, task in (("speech", SPEECH), ("music", MUSIC)):
        result = found[name]
        assert result["sampler_speedup"] > 0 and result["overall_speedup"] > 0 and result["backbone_ms"] > 0
        assert list(result["systems"]) == [system.name for system in task.systems]
        for row in result["systems"].values():
            assert 0 < row["sampler_share"] < 1
            assert row["frame_ms"] >= result["backbone_ms"] + row["sampler_ms"] - 1e-9
        assert result["systems"][task.systems[0].name]["overall_speedup"] == pytest.approx(1)
        (plain,) = (system.name for system in task.systems if system.plain)
        assert result["systems"][plain]["sampler_speedup_over_plain"] == pytest.approx(1)
    assert found["music"]["short_context_ms"] > 0 == found["speech"]["short_context_ms"]


def test_times_of_the_paper_give_the_papers_ratios(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Table 2: a sampler with 26.7 % of the time, made 12.3 times faster, leaves 2.9 % and is 1.3 times faster."""

    class Bench:
        def __init__(self, task: Task, *_: object):
            self.parameters = {system.name: 10**6 for system in task.systems}

        def frames(self, system: sampler.System, count: int) -> list[Took]:
            taken = {"rq_transformer": 0.0267, "consistency": 0.0267 / 12.3}[system.kind] * (2 if system.plain else 1)
            return [Took(9.0, 0.0, 9.0)] + [Took(0.0733, 0.0, taken)] * (count - 1)  # the first is thrown away

    monkeypatch.setattr(sampler, "Bench", Bench)
    assert sampler.main(["--task", "speech"]) == 0
    line = capsys.readouterr().out.splitlines()[-2]
    assert line.startswith("consistency, 1 step")
    assert "2.9% (2.9%)" in line and "12.30 (12.3)" in line and "1.33 (1.3)" in line
    assert line.endswith("24.60, 1.68")  # beside a plain one that takes twice as long


def test_music_counts_seconds_of_sound_where_frame_rates_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bench:
        def __init__(self, task: Task, *_: object):
            self.parameters = {system.name: 1 for system in task.systems}

        def frames(self, system: sampler.System, count: int) -> list[Took]:
            return [Took(0.1, 0.02, {"rq_transformer": 0.3, "delay": 0.01}.get(system.kind, 0.05))] * count

    monkeypatch.setattr(sampler, "Bench", Bench)
    systems = sampler.measure(MUSIC, 1, 1)["systems"]
    assert systems["consistency, 1 step"]["overall_speedup"] == pytest.approx(0.4 / 0.17)
    assert systems["MusicGen, delay"]["overall_speedup"] == pytest.approx(0.4 / 0.11 / 2)  # 50 frames a second, not 25
    assert systems["MusicGen, delay"]["sampler_speedup"] == pytest.approx(0.3 / 0.01 / 2)


SENSELESS = [
    ["--frames", "0"],
    ["--frames", "64"],
    ["--rounds", "0"],
    ["--busy", "--device", "meta"],
    ["--device", "abacus"],
]


@pytest.mark.parametrize("arguments", SENSELESS)
def test_senseless_numbers_are_one_sentence(arguments: list[str]) -> None:
    with pytest.raises(InputError) as error:
        sampler.main(arguments)
    assert "\n" not in str(error.value)
