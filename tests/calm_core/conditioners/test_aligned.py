"""Aligned text: the right phone in the right frame, durations that scale, padding that stays unseen."""

import torch

from calm_core.conditioners.aligned import PHONE_INDEX, SLOTS, AlignedText
from calm_core.config import AlignedTextConfig


def build() -> AlignedText:
    torch.manual_seed(0)
    return AlignedText(AlignedTextConfig(kind="aligned", channels=16, depth=2), d_model=24, frame_rate=12.5).eval()


@torch.inference_mode()
def test_each_slot_hears_the_phone_that_sounds_in_it() -> None:
    text = build()
    encoded = torch.arange(3.0).view(1, 3, 1).expand(1, 3, 16).contiguous()
    ends = torch.tensor([[0.04, 0.10, 0.16]])  # seconds: phone 0 fills half of frame 0, phone 2 the end of frame 1
    seen: list[torch.Tensor] = []
    text.frame_output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    text.align(encoded, ends, frames=3)
    slots = seen[0].view(3 * SLOTS, 18)
    assert slots[:, 0].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    place = slots[:, 16]
    assert torch.allclose(place[:2], torch.tensor([0.25, 0.75]), atol=1e-5)  # middle of the slots inside 40 ms
    assert place[8:].eq(1).all()  # after the last phone


@torch.inference_mode()
def test_padding_changes_nothing() -> None:
    text = build()
    voice = torch.randn(1, 24)
    phones = torch.tensor([[PHONE_INDEX[p] for p in ("pau", "hh", "ax", "l", "ow", "pau")]])
    longer = torch.nn.functional.pad(phones, (0, 5))
    ending = torch.zeros(1, dtype=torch.long)
    alone, padded = text.encode(phones, ending, voice), text.encode(longer, ending, voice)
    torch.testing.assert_close(padded[:, :6], alone)
    torch.testing.assert_close(text.log_durations(padded, longer)[:, :6], text.log_durations(alone, phones))
    prompt = torch.randn(1, 9, 24)
    mask = torch.zeros(1, 14, 1)
    mask[:, :9] = 1
    torch.testing.assert_close(
        text.voice_summary(torch.nn.functional.pad(prompt, (0, 0, 0, 5), value=3.0), mask)[0],
        text.absorb_voice(prompt)[1],
    )


@torch.inference_mode()
def test_speed_divides_the_length_and_the_ending_matters() -> None:
    text = build()
    voice = torch.randn(24)
    phones = ["pau", *(["hh", "ax", "l", "ow"] * 12), "pau"]
    slow, fast = text.speak(phones, 0, voice, speed=0.5), text.speak(phones, 0, voice, speed=2.0)
    assert slow.frames is not None and fast.frames is not None
    assert abs(slow.max_frames / fast.max_frames - 4) < 0.2
    assert slow.max_frames == slow.frames.shape[0] and slow.prefix.shape == (0, 24)
    question = text.speak(phones, 1, voice)
    statement = text.speak(phones, 0, voice)
    assert question.frames is not None and statement.frames is not None
    assert question.frames.shape != statement.frames.shape or not torch.allclose(question.frames, statement.frames)
