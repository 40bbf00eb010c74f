"""The HTTP API of a running ``serve``: leads in, control of campaigns and agents, events out.

Nothing is imported here: calls are served before the framework is loaded, and use what does not need it.
"""
