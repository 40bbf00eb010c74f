"""AutoCall: which lead is called when, over which trunk, and how many at once."""
