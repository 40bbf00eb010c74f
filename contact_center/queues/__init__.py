"""Queues of waiting callers: whose turn it is and which agent gets him. No Asterisk, no SQL, and nothing that waits."""
