"""What stands in each file of an export and in each of its columns; the codebook is made of this."""

from __future__ import annotations

from app.studies.sheets import Column

PHASES = {
    "main": "counts",
    "training": "practice, never counts",
    "trap": "asks for a certain answer",
    "gold": "has a known answer",
}
RATER = Column("rater", "text", "Random key of the person within this study.")
SESSION = Column("session", "text", "Random key of the sitting.")
TRIAL = Column("trial", "text", "Random key of the trial.")
ITEM = Column("item", "text", "Name of the prompt.")
SYSTEM = Column("system", "text", "Name of the system.")
VERSION = Column("version", "integer", "Version of the study that the session works on.")
POSITION = Column("position", "integer", "Place of the trial in its session, from 0.")
PHASE = Column("phase", "text", "What the trial is for.", values=PHASES)
OUTCOME = Column(
    "outcome", "text", "Which one was preferred.", values={"a": "the first", "b": "the second", "tie": "none"}
)

MEANINGS = {
    "comparisons": "Choices between two systems, of main trials by raters who are not excluded.",
    "opinion_scores": "Opinion scores, of main trials by raters who are not excluded.",
    "mushra_scores": "MUSHRA grades, of main trials by raters who are not excluded.",
    "answers": "Every answer, of every phase and every rater, with the trial it belongs to.",
    "trials": "Every trial that was served, answered or not.",
    "raters": "Every person who came.",
    "sessions": "Every sitting, with set-up and questionnaire.",
    "flags": "Doubts that the server noted; none of them excludes anybody.",
    "events": "What the player told: playing, pausing, switching, focus.",
    "audit": "What administrators did, and why.",
}

COLUMNS: dict[str, tuple[Column, ...]] = {
    "comparisons": (
        Column("system_a", "text", "The system in the first place."),
        Column("system_b", "text", "The system in the second place."),
        OUTCOME,
        RATER,
        ITEM,
    ),
    "opinion_scores": (
        RATER,
        SYSTEM,
        ITEM,
        Column("score", "number", "From 1, the worst, to the number of labels of the scale (5 in ITU-T P.800)."),
    ),
    "mushra_scores": (RATER, ITEM, SYSTEM, Column("score", "number", "0 (bad) to 100 (excellent), ITU-R BS.1534-3.")),
    "answers": (
        Column(
            "kind",
            "text",
            "The kind of answer.",
            values={"comparisons": "a choice", "opinion_scores": "an opinion", "mushra_scores": "a grade"},
        ),
        VERSION,
        SESSION,
        RATER,
        Column("excluded", "boolean", "Whether the rater is excluded."),
        TRIAL,
        POSITION,
        PHASE,
        ITEM,
        Column("attribute", "text", "What was asked."),
        Column("system", "text", "The system that was rated; the first one of a comparison."),
        Column(
            "role",
            "text",
            "Its role.",
            values={
                "system": "under test",
                "reference": "the hidden reference",
                "anchor_low": "low-passed at 3.5 kHz",
                "anchor_mid": "low-passed at 7 kHz",
            },
        ),
        Column("system_b", "text", "The second system of a comparison."),
        OUTCOME,
        Column("score", "number", "The opinion or the grade."),
        Column("answered_at", "moment", "When the server took the answer."),
    ),
    "trials": (
        TRIAL,
        SESSION,
        RATER,
        VERSION,
        POSITION,
        PHASE,
        ITEM,
        Column("systems", "text", "The systems in the order of the slots A, B, C ..., with | between them."),
        Column("reference_given", "text", "The system that was played as the open reference."),
        Column("seed", "text", "Seed of what was drawn for the trial."),
        Column("served_at", "moment", "When the page first asked for it."),
        Column("answered_at", "moment", "When the server took the answer; empty when it never came."),
        Column("answer_seconds", "number", "Between the two, by the server's clock.", "s"),
        Column("listening_seconds", "number", "Time of playing over all slots, as the server accepted it.", "s"),
    ),
    "raters": (
        RATER,
        Column("panel", "text", "Where the person came from: open, prolific, mturk."),
        Column("panel_id", "text", "The person's id there; personal data, left out of an anonymous export."),
        Column("created_at", "moment", "When the person first came."),
        Column("sessions", "integer", "Sittings."),
        Column("first_started_at", "moment", "Start of the first sitting."),
        Column("last_finished_at", "moment", "End of the last finished sitting."),
        Column("answered", "integer", "Trials answered, of every phase."),
        Column("flags", "integer", "Doubts that the server noted."),
        Column("excluded_at", "moment", "When an administrator excluded the person; empty when counted."),
        Column("excluded_reason", "text", "Why."),
    ),
    "sessions": (
        SESSION,
        RATER,
        VERSION,
        Column(
            "state",
            "text",
            "How it stands.",
            values={"active": "going on", "finished": "to the end", "expired": "out of time", "left": "given up"},
        ),
        Column("step", "text", "The step that it has reached."),
        Column("language", "text", "Language of the page."),
        Column("seed", "text", "Seed of the plan."),
        Column("started_at", "moment", "When it began."),
        Column("finished_at", "moment", "When it ended."),
        Column("completion_code", "text", "The code that was shown; left out of an anonymous export."),
        Column("setup", "text", "Answers about volume and environment, and the headphone check, as JSON."),
        Column("panel", "text", "Ids from the panel, as JSON; left out of an anonymous export."),
    ),
    "flags": (
        SESSION,
        RATER,
        TRIAL,
        Column("kind", "text", "What raised the doubt, such as a trap that was missed."),
        Column("detail", "text", "Particulars, as JSON."),
        Column("created_at", "moment", "When it was noted."),
    ),
    "events": (
        SESSION,
        TRIAL,
        Column("kind", "text", "What happened."),
        Column("client_ms", "number", "By the page's clock, since the trial was shown.", "ms"),
        Column("at", "moment", "When the server took it."),
        Column("data", "text", "Particulars, as JSON."),
    ),
    "audit": (
        Column("at", "moment", "When."),
        Column("actor", "text", "Who."),
        Column("action", "text", "What was done."),
        Column("target", "text", "To which study or rater."),
        Column("reason", "text", "Why."),
    ),
}
