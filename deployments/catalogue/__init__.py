"""Know which models there are and where they run; load and unload them."""
