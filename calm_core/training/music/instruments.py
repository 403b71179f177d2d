"""The General MIDI instruments that the composer writes for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """One instrument.

    Attributes:
        name: as captions have it.
        program: General MIDI program, from 0.
        low, high: lowest and highest pitch that sounds natural.
        sustains: whether a note sounds as long as it is held.
    """

    name: str
    program: int
    low: int
    high: int
    sustains: bool


def _table(lines: str) -> dict[str, Instrument]:
    rows = (line.split(",") for line in lines.strip().splitlines())
    made = (Instrument(n.strip(), int(p), int(lo), int(hi), s.strip() == "held") for n, p, lo, hi, s in rows)
    return {instrument.name: instrument for instrument in made}


INSTRUMENTS = _table(
    """
    piano, 0, 36, 96, struck
    electric piano, 4, 40, 91, struck
    harpsichord, 6, 41, 89, struck
    celesta, 8, 60, 96, struck
    music box, 10, 60, 96, struck
    vibraphone, 11, 53, 89, struck
    marimba, 12, 48, 91, struck
    organ, 16, 41, 89, held
    church organ, 19, 41, 89, held
    accordion, 21, 53, 89, held
    harmonica, 22, 60, 84, held
    nylon guitar, 24, 40, 79, struck
    acoustic guitar, 25, 40, 79, struck
    jazz guitar, 26, 40, 82, struck
    electric guitar, 27, 40, 84, struck
    overdriven guitar, 29, 40, 84, held
    distorted guitar, 30, 40, 84, held
    double bass, 32, 28, 52, struck
    electric bass, 33, 28, 52, struck
    fretless bass, 35, 28, 55, struck
    slap bass, 36, 28, 52, struck
    synth bass, 38, 28, 52, held
    violin, 40, 55, 91, held
    cello, 42, 36, 67, held
    strings, 48, 40, 88, held
    harp, 46, 40, 91, struck
    choir, 52, 48, 79, held
    trumpet, 56, 54, 82, held
    trombone, 57, 40, 70, held
    French horn, 60, 41, 74, held
    brass section, 61, 43, 79, held
    soprano saxophone, 64, 56, 86, held
    alto saxophone, 65, 50, 80, held
    tenor saxophone, 66, 44, 75, held
    oboe, 68, 58, 86, held
    bassoon, 70, 36, 67, held
    clarinet, 71, 50, 86, held
    flute, 73, 60, 94, held
    recorder, 74, 62, 93, held
    pan flute, 75, 60, 91, held
    synth lead, 81, 48, 88, held
    synth pad, 89, 41, 84, held
    sitar, 104, 48, 77, struck
    banjo, 105, 48, 84, struck
    kalimba, 108, 55, 86, struck
    steel drums, 114, 52, 84, struck
    """
)

# General MIDI percussion keys.
DRUMS = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "closed": 42, "pedal": 44, "open": 46, "low tom": 45,
    "high tom": 50, "crash": 49, "ride": 51, "tambourine": 54, "cowbell": 56, "conga": 64, "high conga": 63,
    "shaker": 70, "claves": 75,
}  # fmt: skip
