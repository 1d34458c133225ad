"""The leaderboard as static pages: no server, no network, one stylesheet and one script beside them."""

from schedcp_gym.leaderboard.site.build import build

__all__ = ["build"]
