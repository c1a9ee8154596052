"""Books, their imports and positions, and snapshots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """From nothing to the four tables."""
    op.create_table(
        "books",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books")),
        sa.UniqueConstraint("name", name=op.f("uq_books_name")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("imported_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_imports_book_id_books")),
        sa.UniqueConstraint("book_id", "version", name=op.f("uq_imports_book_id_version")),
    )
    op.create_table(
        "positions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Double(), nullable=False),
        sa.Column("entry_price", sa.Double(), nullable=False),
        sa.Column("entry_date", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("multiplier", sa.Double(), nullable=True),
        sa.Column("strike", sa.Double(), nullable=True),
        sa.Column("expiry", sa.Date(), nullable=True),
        sa.Column("right", sa.Text(), nullable=True),
        sa.Column("underlying", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_positions")),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_positions_import_id_imports")),
        sa.UniqueConstraint("import_id", "ordinal", name=op.f("uq_positions_import_id_ordinal")),
    )
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("book_id", sa.Integer(), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("nav", sa.Double(), nullable=True),
        sa.Column("market_value", sa.Double(), nullable=True),
        sa.Column("gross_market_value", sa.Double(), nullable=True),
        sa.Column("pnl_day", sa.Double(), nullable=True),
        sa.Column("pnl_total", sa.Double(), nullable=True),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.func.now(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshots")),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_snapshots_book_id_books")),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_snapshots_import_id_imports")),
        sa.UniqueConstraint("book_id", "session", name=op.f("uq_snapshots_book_id_session")),
    )


def downgrade() -> None:
    """Back to nothing: every book and snapshot goes."""
    for table in ("snapshots", "positions", "imports", "books"):
        op.drop_table(table)
