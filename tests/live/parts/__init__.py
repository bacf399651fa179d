"""The real parts behind the live tests: what a Label Studio server talks to."""
