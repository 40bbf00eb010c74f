"""Hours of campaign in seconds, paced by the very code that paces calls in earnest."""
