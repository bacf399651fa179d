"""From conditions to what the server filters and what is checked here."""
