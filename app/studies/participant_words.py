"""Sentences of the server that participants read, in every language of the pages."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "unknown_study": "There is no open study at this address; check the link that you were given.",
        "paused": "The study is paused. Your answers are kept; please come back later with the same link.",
        "closed": "The study is closed. Your answers are kept; thank you for your time.",
        "not_open": "The study is not open yet; please come back later with the same link.",
        "full": "The study has all the answers that it needs. Thank you for your time.",
        "expired": "This link has expired; the answers that you gave are kept. Thank you for your time.",
        "bad_link": "This link does not lead to a session; open the invitation again.",
        "answered": "This question was answered already, perhaps in another tab; here is where you are now.",
        "stale": "This question was open for too long, so it is shown anew.",
        "foreign": "This answer belongs to another session; reload the page.",
        "elsewhere": "The session has moved on, perhaps in another tab; reload the page.",
        "listen_more": "Please listen to {name} for {seconds:.1f} s more before you submit.",
        "too_fast": "The listening times add up to more than has passed since the question was shown; reload the page.",
        "no_difference": "no difference",
        "clip": "the sound",
        "reference": "the reference",
        "no_sound": "This sound cannot be played now; reload the page.",
    },
    "fr": {
        "unknown_study": "Aucun test n’est ouvert à cette adresse ; vérifiez le lien que vous avez reçu.",
        "paused": "Le test est suspendu. Vos réponses sont gardées ; revenez plus tard avec le même lien.",
        "closed": "Le test est terminé. Vos réponses sont gardées ; merci de votre participation.",
        "not_open": "Le test n’est pas encore ouvert ; revenez plus tard avec le même lien.",
        "full": "Le test a reçu toutes les réponses nécessaires. Merci de votre participation.",
        "expired": "Ce lien a expiré ; les réponses que vous avez données sont gardées. Merci de votre participation.",
        "bad_link": "Ce lien ne mène à aucune session ; ouvrez de nouveau l’invitation.",
        "answered": "Cette question a déjà reçu une réponse, peut-être dans un autre onglet ; voici où vous en êtes.",
        "stale": "Cette question est restée ouverte trop longtemps ; elle est présentée de nouveau.",
        "foreign": "Cette réponse appartient à une autre session ; rechargez la page.",
        "elsewhere": "La session a avancé, peut-être dans un autre onglet ; rechargez la page.",
        "listen_more": "Écoutez encore {name} pendant {seconds:.1f} s avant d’envoyer.",
        "too_fast": "Les durées d’écoute dépassent le temps écoulé depuis l’affichage ; rechargez la page.",
        "no_difference": "pas de différence",
        "clip": "l’extrait",
        "reference": "la référence",
        "no_sound": "Ce son ne peut pas être joué pour le moment ; rechargez la page.",
    },
}


def word(language: str, key: str, **values: object) -> str:
    """A sentence in a language, in English where the language is not known."""
    return WORDS.get(language, WORDS["en"])[key].format(**values)
