"""The ARI application: Asterisk's calls as coroutines."""
