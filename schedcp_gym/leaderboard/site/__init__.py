"""The leaderboard as static pages with one stylesheet and one script. They need no server and no network."""

from schedcp_gym.leaderboard.site.build import build

__all__ = ["build"]
