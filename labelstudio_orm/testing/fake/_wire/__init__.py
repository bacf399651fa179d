"""Requests, answers and routes, and the two ways to a server: an adapter and a socket."""
