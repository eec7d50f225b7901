"""What runs beside Chromium, in an environment that has Playwright and nothing of Dragoman's."""
