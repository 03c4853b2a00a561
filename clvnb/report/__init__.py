"""Reports: papermill runs the guide's notebooks for each client, and a page, tables and an index come of it."""

from .cards import customer_cards
from .files import save_step, write_table
from .runner import Outcome, report_clients

__all__ = ["Outcome", "customer_cards", "report_clients", "save_step", "write_table"]
