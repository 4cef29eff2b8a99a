"""The pages of a served store, for people with a browser. jinja2 is loaded when a page is first asked for."""
