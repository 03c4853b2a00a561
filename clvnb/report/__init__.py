"""Reports: papermill runs the guide's notebooks for each client, and a page, tables and an index come of it."""

from .files import save_step, write_table
from .runner import Outcome, report_clients

__all__ = ["Outcome", "report_clients", "save_step", "write_table"]
