"""The errors that clvnb raises on purpose, and its one warning.

In: what is wrong. Out: an error that says so, and what to do.
"""

from __future__ import annotations

__all__ = [
    "ClientError",
    "ClvnbError",
    "DataWarning",
    "FitError",
    "ReportError",
    "TableError",
    "UnreachableError",
    "UsageError",
]


class ClvnbError(Exception):
    """The parent of every error that clvnb raises on purpose; its text says what is wrong and what to do."""


class TableError(ClvnbError):
    """A table lacks a column, holds impossible values, or lost more rows than allowed.

    Raised by whatever checks a table.
    """


class UnreachableError(TableError):
    """A database does not answer at the moment, or went away while it was read; a later try may succeed.

    Raised by whatever reads a table of a database. ``clvnb report`` waits and tries again.
    """


class ClientError(ClvnbError):
    """A client's folder or its ``client.yaml`` cannot be used as it stands.

    Raised by ``Client.load``, ``load_sample``, the readers of files and the steps.
    """


class FitError(ClvnbError):
    """A model cannot be estimated on these data; the text says why and what to use instead.

    Raised by ``fit`` of every model, by what asks a model that has no parameters, and by ``choose_model`` and
    ``new_customer_values``.
    """


class ReportError(ClvnbError):
    """A report could not be made.

    Raised by ``report_clients``, ``customer_cards``, ``begin_client`` and ``write_table``.
    """


class UsageError(ReportError):
    """What was asked for cannot be done as it was asked; nothing was begun.

    Raised by ``report_clients`` and ``customer_cards``.
    """


class DataWarning(UserWarning):
    """Something in the data that a reader should know before trusting a number.

    Given by ``clvnb.compat``, and by a picture that cannot be drawn; elsewhere such things are findings and trust levels.
    """
