"""One request, and what may become of it: connections, credentials, retries, JSON, files."""
