"""How listings are read: the shapes of their pages, and tasks by id."""
