"""The images and machines of a lab, each made when it is first needed."""

import threading
from collections.abc import Callable

from schedcp_gym.lab import catalogue
from schedcp_gym.machine import Machine
from schedcp_gym.machine.image import Image, ensure_image
from schedcp_gym.spec import MachineSpec
from schedcp_gym.spec.digest import digest

#: Receives the progress of an image's build: a step's text, and the share done (0 to 1).
Progress = Callable[[str, float], None]


class Machines:
    """Images by kernel setting, machines by spec. Safe to share between threads."""

    def __init__(self, report: Progress) -> None:
        """Prepare; nothing is built yet.

        Args:
            report: Receives the progress of an image's build.
        """
        self._report = report
        self._images: dict[str, Image] = {}
        self._image_lock = threading.Lock()
        self._machines: dict[str, Machine] = {}
        self._lock = threading.Lock()
        self.stopped = False

    def branch(self) -> "Machines":
        """Return machines of their own on the same images: stopping them stops no others."""
        beside = Machines(self._report)
        beside._images, beside._image_lock = self._images, self._image_lock
        return beside

    def image(self, kernel: str) -> Image:
        """Return the image for a kernel setting, built when missing.

        Raises:
            SchedcpError: It can't be built.
        """
        with self._image_lock:
            if kernel not in self._images:
                self._images[kernel] = ensure_image(catalogue.image_inputs(kernel), self._report)
            return self._images[kernel]

    def machine(self, spec: MachineSpec) -> Machine:
        """Return the machine of a spec.

        Raises:
            SchedcpError: QEMU or the image is missing and can't be had.
        """
        image = self.image(spec.kernel)
        with self._lock:
            key = digest(spec)
            if key not in self._machines:
                self._machines[key] = Machine(spec, image)
                if self.stopped:
                    self._machines[key].stop()
            return self._machines[key]

    def stop(self) -> None:
        """Stop all machines permanently, also those that are asked for later."""
        with self._lock:
            self.stopped = True
            machines = list(self._machines.values())
        for machine in machines:
            machine.stop()
