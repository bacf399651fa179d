"""How a query is planned and read: objects, rows of values, tables."""
