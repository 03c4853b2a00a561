from .cards import customer_cards as customer_cards
from .files import save_step as save_step
from .files import write_table as write_table
from .runner import report_clients as report_clients
