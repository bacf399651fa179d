"""One request and its outcome: connections, credentials, retries, JSON, files."""
