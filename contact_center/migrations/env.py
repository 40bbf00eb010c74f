"""How Alembic runs here: on the connection it is handed, inside the transaction that is already open."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import contact_center.models
import contact_center.models_api
import contact_center.models_callbacks
import contact_center.models_leads
import contact_center.models_ratings
import contact_center.models_telling
import contact_center.models_trunks  # noqa: F401  (all fill the metadata)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
context.run_migrations()
