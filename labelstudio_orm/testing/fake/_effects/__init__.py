"""What a write sets off: webhooks, and files in export storages."""
