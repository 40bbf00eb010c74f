"""`make bench`: the product against native Asterisk, on one machine, in one run, with one far end."""
