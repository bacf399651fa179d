"""Requests, answers and routes, and the two ways to reach a server: an adapter and a socket."""
