"""A page about runs: what was found, how well it is known, what it cost, and how to repeat it."""
