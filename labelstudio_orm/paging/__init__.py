"""How listings are read: the shapes of their pages, tasks by id, orders, other shapes of rows."""
