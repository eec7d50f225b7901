"""``python -m deployments.tuning`` is ``dragoman tune``."""

from deployments.tuning.command import app

app()
