"""The page at ``/``: speak, read and hear, in a browser and without a program to install."""
