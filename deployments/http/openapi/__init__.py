"""The description of the HTTP API (OpenAPI 3.1), made from its types, and a page that shows it."""
