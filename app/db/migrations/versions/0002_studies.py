"""Listening tests: studies, who rated what, and the marks of the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "audit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=True),
        sa.PrimaryKeyConstraint("id", name="audit_key"),
    )
    op.create_table(
        "journal_marks",
        sa.Column("id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name="journal_marks_key"),
    )
    op.create_table(
        "studies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("slug", sa.String(80), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="studies_key"),
        sa.CheckConstraint("state IN ('draft', 'open', 'paused', 'closed')", name="studies_state_known"),
        sa.UniqueConstraint("slug", name="studies_slug_once"),
    )
    op.create_table(
        "raters",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("panel", sa.String(32), nullable=False),
        sa.Column("panel_id", sa.String(200), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("excluded_at", MOMENT, nullable=True),
        sa.Column("excluded_reason", sa.String(1000), nullable=True),
        sa.PrimaryKeyConstraint("id", name="raters_key"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="raters_study_id_of_studies"),
        sa.UniqueConstraint("study_id", "panel", "panel_id", name="raters_study_id_panel_panel_id_once"),
    )
    op.create_table(
        "study_versions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="study_versions_key"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="study_versions_study_id_of_studies"),
        sa.UniqueConstraint("study_id", "number", name="study_versions_study_id_number_once"),
    )
    op.create_table(
        "prompts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="prompts_key"),
        sa.CheckConstraint("phase IN ('main', 'training', 'trap', 'gold')", name="prompts_phase_known"),
        sa.ForeignKeyConstraint(["version_id"], ["study_versions.id"], name="prompts_version_id_of_study_versions"),
        sa.UniqueConstraint("version_id", "name", name="prompts_version_id_name_once"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("rater_id", KEY, nullable=False),
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("language", sa.String(32), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("deadline_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("panel_json", DOCUMENT, nullable=True),
        sa.Column("setup_json", DOCUMENT, nullable=True),
        sa.Column("questionnaire_json", DOCUMENT, nullable=True),
        sa.Column("completion_code", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="sessions_key"),
        sa.CheckConstraint("state IN ('active', 'finished', 'expired', 'left')", name="sessions_state_known"),
        sa.ForeignKeyConstraint(["rater_id"], ["raters.id"], name="sessions_rater_id_of_raters"),
        sa.ForeignKeyConstraint(["version_id"], ["study_versions.id"], name="sessions_version_id_of_study_versions"),
    )
    op.create_index("ix_sessions_rater_id", "sessions", ["rater_id"])
    op.create_index("ix_sessions_version_id", "sessions", ["version_id"])
    op.create_index(
        "sessions_one_active",
        "sessions",
        ["rater_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "systems",
        sa.Column("id", KEY, nullable=False),
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="systems_key"),
        sa.CheckConstraint("role IN ('system', 'reference', 'anchor_low', 'anchor_mid')", name="systems_role_known"),
        sa.ForeignKeyConstraint(["version_id"], ["study_versions.id"], name="systems_version_id_of_study_versions"),
        sa.UniqueConstraint("version_id", "name", name="systems_version_id_name_once"),
    )
    op.create_table(
        "stimuli",
        sa.Column("id", KEY, nullable=False),
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("system_id", KEY, nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("path", sa.String(300), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("lufs", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="stimuli_key"),
        sa.ForeignKeyConstraint(["version_id"], ["study_versions.id"], name="stimuli_version_id_of_study_versions"),
        sa.ForeignKeyConstraint(["system_id"], ["systems.id"], name="stimuli_system_id_of_systems"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="stimuli_prompt_id_of_prompts"),
        sa.UniqueConstraint("system_id", "prompt_id", name="stimuli_system_id_prompt_id_once"),
    )
    op.create_index("ix_stimuli_prompt_id", "stimuli", ["prompt_id"])
    op.create_index("ix_stimuli_version_id", "stimuli", ["version_id"])
    op.create_table(
        "trials",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("expected_json", DOCUMENT, nullable=True),
        sa.Column("served_at", MOMENT, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("listening_seconds", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="trials_key"),
        sa.CheckConstraint("phase IN ('main', 'training', 'trap', 'gold')", name="trials_phase_known"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="trials_session_id_of_sessions"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name="trials_prompt_id_of_prompts"),
        sa.UniqueConstraint("session_id", "position", name="trials_session_id_position_once"),
        sa.UniqueConstraint("nonce", name="trials_nonce_once"),
    )
    op.create_index("ix_trials_prompt_id", "trials", ["prompt_id"])
    op.create_table(
        "comparisons",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("attribute", sa.String(200), nullable=False),
        sa.Column("stimulus_a_id", KEY, nullable=False),
        sa.Column("stimulus_b_id", KEY, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="comparisons_key"),
        sa.CheckConstraint("outcome IN ('a', 'b', 'tie')", name="comparisons_outcome_known"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="comparisons_trial_id_of_trials"),
        sa.ForeignKeyConstraint(["stimulus_a_id"], ["stimuli.id"], name="comparisons_stimulus_a_id_of_stimuli"),
        sa.ForeignKeyConstraint(["stimulus_b_id"], ["stimuli.id"], name="comparisons_stimulus_b_id_of_stimuli"),
        sa.UniqueConstraint("trial_id", "attribute", name="comparisons_trial_id_attribute_once"),
    )
    op.create_index("ix_comparisons_stimulus_a_id", "comparisons", ["stimulus_a_id"])
    op.create_index("ix_comparisons_stimulus_b_id", "comparisons", ["stimulus_b_id"])
    op.create_table(
        "events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("client_ms", sa.Double(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("data_json", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="events_key"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="events_session_id_of_sessions"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="events_trial_id_of_trials"),
    )
    op.create_index("ix_events_session_id", "events", ["session_id"])
    op.create_index("ix_events_trial_id", "events", ["trial_id"])
    op.create_table(
        "flags",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("detail_json", DOCUMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="flags_key"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="flags_session_id_of_sessions"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="flags_trial_id_of_trials"),
    )
    op.create_index("ix_flags_session_id", "flags", ["session_id"])
    op.create_index("ix_flags_trial_id", "flags", ["trial_id"])
    op.create_table(
        "mushra_scores",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("stimulus_id", KEY, nullable=False),
        sa.Column("attribute", sa.String(200), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="mushra_scores_key"),
        sa.CheckConstraint("score >= 0 AND score <= 100", name="mushra_scores_score_range"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="mushra_scores_trial_id_of_trials"),
        sa.ForeignKeyConstraint(["stimulus_id"], ["stimuli.id"], name="mushra_scores_stimulus_id_of_stimuli"),
        sa.UniqueConstraint(
            "trial_id", "stimulus_id", "attribute", name="mushra_scores_trial_id_stimulus_id_attribute_once"
        ),
    )
    op.create_index("ix_mushra_scores_stimulus_id", "mushra_scores", ["stimulus_id"])
    op.create_table(
        "opinion_scores",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("stimulus_id", KEY, nullable=False),
        sa.Column("attribute", sa.String(200), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="opinion_scores_key"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="opinion_scores_trial_id_of_trials"),
        sa.ForeignKeyConstraint(["stimulus_id"], ["stimuli.id"], name="opinion_scores_stimulus_id_of_stimuli"),
        sa.UniqueConstraint(
            "trial_id", "stimulus_id", "attribute", name="opinion_scores_trial_id_stimulus_id_attribute_once"
        ),
    )
    op.create_index("ix_opinion_scores_stimulus_id", "opinion_scores", ["stimulus_id"])
    op.create_table(
        "trial_stimuli",
        sa.Column("media_id", KEY, nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("stimulus_id", KEY, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("is_reference_given", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("media_id", name="trial_stimuli_key"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="trial_stimuli_trial_id_of_trials"),
        sa.ForeignKeyConstraint(["stimulus_id"], ["stimuli.id"], name="trial_stimuli_stimulus_id_of_stimuli"),
        sa.UniqueConstraint("trial_id", "slot", name="trial_stimuli_trial_id_slot_once"),
    )
    op.create_index("ix_trial_stimuli_stimulus_id", "trial_stimuli", ["stimulus_id"])
    op.create_table(
        "votes",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("trial_id", KEY, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("key", name="votes_key"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="votes_trial_id_of_trials"),
        sa.UniqueConstraint("trial_id", name="votes_trial_id_once"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("votes")
    op.drop_table("trial_stimuli")
    op.drop_table("opinion_scores")
    op.drop_table("mushra_scores")
    op.drop_table("flags")
    op.drop_table("events")
    op.drop_table("comparisons")
    op.drop_table("trials")
    op.drop_table("stimuli")
    op.drop_table("systems")
    op.drop_table("sessions")
    op.drop_table("prompts")
    op.drop_table("study_versions")
    op.drop_table("raters")
    op.drop_table("studies")
    op.drop_table("journal_marks")
    op.drop_table("audit")
