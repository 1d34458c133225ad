"""References: agents that search nothing, to hold the others against."""
