"""Alembic's entrance: it works on the connection that `schema` gives it, inside that one's transaction."""

from __future__ import annotations

from alembic import context

from deepguard.service.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
