"""Alembic's entry: runs the revisions on the connection that `app.db.migrate` has opened."""

from alembic import context

from app.db import study_models
from app.db.models import Base

assert study_models.Study.metadata is Base.metadata  # every table is known once both modules are read

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    transactional_ddl=True,  # our connections to SQLite begin their transactions themselves
)
with context.begin_transaction():
    context.run_migrations()
