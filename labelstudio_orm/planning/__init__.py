"""From a tree of conditions to what the server is asked and what is checked here."""
