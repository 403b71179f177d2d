from typing import Literal

import pytest

from calm_core.conditioners import TextConditioner
from calm_core.errors import InputError
from calm_core.scheduler import Silence
from calm_core.tasks.script import write_script


class Whole(TextConditioner):
    """Speaks every text in one piece."""

    def __init__(self, normalises: Literal["all", "needed", "none"]):
        super().__init__()
        self.normalises = normalises

    def split(self, text: str, max_tokens: int | None = None) -> list[str]:
        return [text]


def test_pauses_stand_between_pieces() -> None:
    assert write_script("One. [pause 0.5s] Two.", Whole("none"), "en") == ["One.", Silence(0.5), "Two."]
    assert write_script("[pause 200ms] One.", Whole("none"), "en") == [Silence(0.2), "One."]


def test_numbers_are_written_out_unless_the_model_reads_them_itself() -> None:
    assert write_script("It is 3 now.", Whole("none"), "en") == ["It is 3 now."]
    assert write_script("It is 3 now.", Whole("needed"), "en") == ["It is three now."]
    assert write_script("It is 3 now.", Whole("all"), "en") == ["It is three now."]


def test_a_text_that_needs_no_writing_out_goes_as_typed() -> None:
    typed = "Well — “so it is”, café and all…"
    assert write_script(typed, Whole("needed"), "en") == [typed]
    assert write_script(typed, Whole("all"), "en") != [typed]


@pytest.mark.parametrize("text", ["", "  ", "\U0001f600", "... !", "[pause 1s]", "a" * 100_000, "[pause 99999s] a"])
@pytest.mark.parametrize("normalises", ["all", "needed", "none"])
def test_nothing_that_can_be_spoken(text: str, normalises: Literal["all", "needed", "none"]) -> None:
    with pytest.raises(InputError) as error:
        write_script(text, Whole(normalises), "en")
    assert "\n" not in str(error.value)
