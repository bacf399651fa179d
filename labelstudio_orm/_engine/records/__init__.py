"""Active records: objects over rows of the server, and where these came from."""
