"""What the ARI app, the dialer and the AGI scripts share: it knows no Asterisk and no numpy."""
