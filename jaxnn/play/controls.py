"""Play, pause, step, speed and stop: what the page's buttons say to a training that runs in another thread."""

import threading
import time

from jaxnn.engine.hooks import UNLIMITED

#: Pictures of a training that are wanted in a second: at a limited speed as many chunks are run.
PICTURES_PER_SECOND = 30


class Controls:
    """The buttons. Any thread may press them; the training asks `most_steps` before each chunk of steps.

    speed: epochs a second; None: as fast as the machine is
    steps: of an epoch, which the training sets as soon as it has read its data
    """

    def __init__(self, *, playing: bool, speed: float | None, steps: int = 1):
        self.steps: int = steps
        self._changed = threading.Condition()
        self._playing, self._speed = playing, speed
        self._single_steps = 0
        self._stopped = False
        self._next_at = 0.0

    @property
    def playing(self) -> bool:
        return self._playing

    @property
    def speed(self) -> float | None:
        return self._speed

    def press(self, button: str, speed: float | None = None) -> None:
        """Presses a button: play, pause, step (which pauses, and takes one more step), or speed."""
        with self._changed:
            if button == "speed":
                self._speed, self._next_at = speed, 0.0
            else:
                self._playing = button == "play"
                self._single_steps = self._single_steps + 1 if button == "step" else 0
            self._changed.notify_all()

    def stop(self) -> None:
        """Ends the training after the current chunk."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def most_steps(self, done: int) -> int:
        """The most steps of the next chunk. Waits while the training is paused, and where it would be too fast."""
        del done
        with self._changed:
            while not self._stopped:
                if self._single_steps:
                    self._single_steps -= 1
                    return 1
                wait = None
                if self._playing:
                    wait = self._next_at - time.monotonic()
                    if wait <= 0:
                        return self._chunk()
                self._changed.wait(wait)
            return 1

    def _chunk(self) -> int:
        if self._speed is None:
            return UNLIMITED
        rate = self._speed * self.steps
        count = max(1, round(rate / PICTURES_PER_SECOND))
        # A chunk that came late does not make the next ones faster.
        self._next_at = max(self._next_at, time.monotonic() - 1 / PICTURES_PER_SECOND) + count / rate
        return count
