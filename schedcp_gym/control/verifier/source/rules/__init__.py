"""Rules for schedulers: each module is one, found by looking."""
