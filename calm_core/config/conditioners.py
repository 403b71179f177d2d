"""What the model is told: text and voice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from calm_core.config.base import StrictModel


class PrefixTextConfig(StrictModel):
    """Tokens whose embeddings come before the audio (`conditioners.text`)."""

    kind: Literal["prefix"]
    n_bins: int
    dim: int
    tokenizer: str = "sentencepiece"
    tokenizer_path: str
    # Low-rank table: embeddings of this width and a projection to `dim`; full when None.
    rank: int | None = None
    max_tokens: int = 50
    # Whether numbers, abbreviations and signs are written out first (`text.normalise`). A text without any goes to
    # the model as typed, as in the released models' own package.
    normalise: bool = True
    pad_with_spaces_for_short_inputs: bool = False
    remove_semicolons: bool = False
    append_terminal_punctuation: bool = True
    capitalize_first_letter: bool = True
    replace_characters: dict[str, str] = Field(default_factory=dict)
    # Frames kept after the detected end; guessed from the number of words when None.
    frames_after_eos: int | None = None
    # Longest speech: tokens / tokens_per_second + seconds_padding.
    tokens_per_second: float = 3.0
    seconds_padding: float = 2.0


class AlignedTextConfig(StrictModel):
    """Phones with predicted durations, one condition a frame (`conditioners.aligned`)."""

    kind: Literal["aligned"]
    channels: int = 192
    depth: int = 4
    # Longest piece spoken in one go, about as long as the longest training utterances (9 s); longer
    # sentences are cut at clauses, then between words.
    max_characters: int = 120


TextConfig = Annotated[PrefixTextConfig | AlignedTextConfig, Field(discriminator="kind")]


class ClapPrefixConfig(StrictModel):
    """The CLAP prefix: one embedding of a text or a sound before the first frame (CALM section 5.4)."""

    # Of the embedding.
    width: int = Field(ge=1)
    # The CLAP model that descriptions and references go through: an id, a folder (also relative to the model's own) or
    # an hf:// path.
    model: str | None = None
    # File with an affine map from embeddings of texts to those of sounds (`conditioners.text_map`), where the model was
    # trained on sounds: relative to the model's own folder, or an hf:// path. None hands texts over as they are.
    text_map_path: str | None = None


class VoiceConfig(StrictModel):
    """The voice prompt: encoder latents projected to the backbone's width."""

    # A learned vector before the prompt.
    bos: bool = True
    max_seconds: float = 30.0
