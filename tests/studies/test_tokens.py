"""Tokens open what they were made for, as long as they were made for, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.studies.tokens import Signer, TokenError

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Watch:
    now = START

    def __call__(self) -> datetime:
        return self.now


def test_what_was_signed_is_read_until_it_expires() -> None:
    watch = Watch()
    signer = Signer("secret", watch)
    token = signer.sign("trial", {"t": "é" * 3, "n": 7}, seconds=60)
    assert signer.read("trial", token) == {"t": "é" * 3, "n": 7, "until": int(START.timestamp()) + 60}
    watch.now = START + timedelta(seconds=61)
    with pytest.raises(TokenError) as caught:
        signer.read("trial", token)
    assert caught.value.expired


def test_a_token_opens_nothing_else() -> None:
    signer = Signer("secret", Watch())
    token = signer.sign("trial", {"t": 1}, seconds=60)
    with pytest.raises(TokenError) as caught:
        signer.read("participant", token)
    assert not caught.value.expired
    with pytest.raises(TokenError):
        Signer("another secret", Watch()).read("trial", token)


@given(st.data())
def test_no_changed_token_is_read(data: st.DataObject) -> None:
    signer = Signer("secret", Watch())
    token = signer.sign("participant", {"s": "abc"}, seconds=60)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda letter: letter != token[at]))
    with pytest.raises(TokenError):
        signer.read("participant", token[:at] + letter + token[at + 1 :])


def test_codes_are_one_for_each_subject_and_forgive_how_they_are_typed() -> None:
    signer = Signer("secret", Watch())
    codes = {signer.code("completion", str(number)) for number in range(2000)}
    assert len(codes) == 2000
    code = signer.code("completion", "session")
    assert signer.is_code("completion", "session", f" {code.lower().replace('-', ' ')}")
    assert not signer.is_code("completion", "another", code)
    assert not signer.is_code("completion", "session", "é" * 11)
