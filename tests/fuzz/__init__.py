"""Damaged input by the thousand: nothing that is sent or found on disk may crash the server."""
