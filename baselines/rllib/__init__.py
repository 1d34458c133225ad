"""Reinforcement learning with RLlib's new API stack: agents for a run, and training outside of one.

Needs the extra ``rl`` (``pip install 'schedcp_gym[rl]'``). Torch and Ray are imported when learning begins.
"""
