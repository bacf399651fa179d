"""What may be sent: the contract of the API, and the checks of fields and bodies."""
