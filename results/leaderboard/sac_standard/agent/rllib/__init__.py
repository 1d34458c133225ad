"""Reinforcement learning with RLlib's new API stack: agents for a run, and training outside of one.

Needs the extra ``rl`` (``pip install 'schedcp_gym[rl]'``). Nothing here imports torch or Ray before it is used.
"""
