"""What a pickle's unknown classes become: an object that takes anything and does nothing."""

from __future__ import annotations

from typing import Any


class Foreign:
    """Stands for an object of a class that is none of our business; no code of that class runs."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Foreign":
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    def add(self, item: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass
