"""Keys and chords against what is in every textbook of harmony."""

import pytest

from calm_core.training.music.theory import Key, nearest

C_MAJOR, A_MINOR = Key(0, "major"), Key(9, "minor")


@pytest.mark.parametrize(
    ("key", "symbol", "notes"),
    [
        (C_MAJOR, "I", (0, 4, 7)),
        (C_MAJOR, "V7", (7, 11, 2, 5)),
        (C_MAJOR, "ii7", (2, 5, 9, 0)),
        (C_MAJOR, "Imaj7", (0, 4, 7, 11)),
        (C_MAJOR, "bVII", (10, 2, 5)),
        (A_MINOR, "i", (9, 0, 4)),
        (A_MINOR, "V", (4, 8, 11)),
        (A_MINOR, "bVI", (4, 8, 11)),
        (A_MINOR, "iidim", (11, 2, 5)),
        (Key(2, "dorian"), "IV7", (7, 11, 2, 5)),
        (Key(7, "mixolydian"), "Isus4", (7, 0, 2)),
    ],
)
def test_numerals_name_chords(key: Key, symbol: str, notes: tuple[int, ...]) -> None:
    assert key.chord(symbol).pitch_classes == notes


@pytest.mark.parametrize("symbol", ["", "H", "IIII", "V13", "vv"])
def test_what_is_no_chord_symbol(symbol: str) -> None:
    with pytest.raises(ValueError, match="no chord symbol"):
        C_MAJOR.chord(symbol)


def test_relative_keys_share_their_notes() -> None:
    assert set(C_MAJOR.scale) == set(A_MINOR.scale) == set(Key(2, "dorian").scale) == set(Key(7, "mixolydian").scale)
    assert (Key(3, "major").name, Key(2, "dorian").tonality, Key(7, "mixolydian").tonality) == (
        "E flat",
        "minor",
        "major",
    )


def test_the_nearest_note_of_a_class() -> None:
    assert [nearest(0, around) for around in (60, 61, 55, 53, 66)] == [60, 60, 60, 48, 60]
    assert all(abs(nearest(c, 60) - 60) <= 6 and nearest(c, 60) % 12 == c for c in range(12))
