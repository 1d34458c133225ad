"""Classical tuners: Optuna's samplers over the catalogue's policies and their tunables."""
