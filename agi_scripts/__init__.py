"""What an agent dials as a code: one script per code, served over FastAGI."""
