"""The migrations, in two rooms: the verbs, and the engine that they run on."""
