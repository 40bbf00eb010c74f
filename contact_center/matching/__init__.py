"""The marketing match: numbers handed to visitors of a site, and whose call it then is."""
