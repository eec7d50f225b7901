"""Decide who may ask the server, and for what: keys, scopes, certificates, the audit log."""
