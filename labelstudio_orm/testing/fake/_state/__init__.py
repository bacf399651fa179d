"""What a server holds: rows, settings, blobs, and the addresses that it may call."""
