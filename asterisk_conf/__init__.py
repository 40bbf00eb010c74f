"""The Asterisk configuration that comes with Callwright: rendered, installed, checked and doctored."""
