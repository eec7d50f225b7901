"""Tests of a server on three nodes, each in namespaces of its own on this one machine."""
