"""How many rows a request for a page of tasks asks for."""

FIRST_PAGE, PAGE = 100, 1000
"""Rows of the first page, and of the later ones at most."""

IDS = 300
"""Ids that one request asks for: an address with as many stays below what proxies take."""
