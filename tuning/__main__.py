"""``python -m tuning`` is ``dragoman tune``."""

from tuning.command import app

app()
