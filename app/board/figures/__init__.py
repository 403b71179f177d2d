"""Figures as SVG, written from results: one small module a figure, each a function of a question and a width in px."""

from app.board.figures.boxes import boxes
from app.board.figures.forest import forest
from app.board.figures.heat import heat
from app.board.figures.opinions import opinions
from app.board.figures.over_time import over_time

FIGURES = {
    "pairs": {"forest": forest, "heat": heat, "time": over_time},
    "mos": {"bars": opinions},
    "mushra": {"boxes": boxes},
}

__all__ = ["FIGURES", "boxes", "forest", "heat", "opinions", "over_time"]
