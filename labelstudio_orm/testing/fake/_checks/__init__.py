"""The contract of the API, and the checks of fields and bodies."""
