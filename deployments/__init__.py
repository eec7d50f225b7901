"""The Ray Serve application: batching, the graph, HTTP."""

from importlib.metadata import version

__version__ = version("dragoman")
