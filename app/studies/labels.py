"""Words of the standards' scales in the languages of the pages, worst first."""

from __future__ import annotations

LANGUAGES = ("en", "fr")

# ITU-R BS.1534-3 and ITU-T P.800 share these five words; the French ones are those of their French editions.
QUALITY = {
    "en": ("Bad", "Poor", "Fair", "Good", "Excellent"),
    "fr": ("Mauvais", "Médiocre", "Passable", "Bon", "Excellent"),
}
MUSHRA_BAND = 20  # grades of one word on the scale from 0 to 100

# P.808 sums: what the consent page says when a study brings no text of its own.
INFORMATION = {
    "en": (
        "You will listen to short recordings and rate them. Your ratings, the times at which you play and answer, "
        "and the answers to the questions at the end are kept for research. No name is asked for. You may stop at "
        "any time; what you rated until then is kept."
    ),
    "fr": (
        "Vous allez écouter de courts enregistrements et les évaluer. Vos notes, les moments où vous écoutez et "
        "répondez ainsi que vos réponses aux questions finales sont conservés pour la recherche. Aucun nom n'est "
        "demandé. Vous pouvez vous arrêter à tout moment ; ce que vous aurez déjà évalué est conservé."
    ),
}
