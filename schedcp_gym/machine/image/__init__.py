"""The image a machine boots: kernel, root file system, headers for compiling policies."""

from schedcp_gym.machine.image.store import Image, ensure_image, find_image

__all__ = ["Image", "ensure_image", "find_image"]
