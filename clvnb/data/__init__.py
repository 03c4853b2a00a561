"""Where data come from: clients, sources, orders, contracts, surveys, and the example clients."""
