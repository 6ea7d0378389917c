"""Whole numbers as option values."""

from __future__ import annotations

from typing import Any

import click


class Whole(click.IntRange):
    """A whole number from `min`, up to `max` if given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            fits = f"of {self.min} or more" if self.max is None else f"from {self.min} to {self.max}"
            self.fail(f"{str(value)!r} is not a whole number {fits}", param, ctx)
