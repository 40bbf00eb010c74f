"""The store: the only place that speaks SQL. SQLite or PostgreSQL, chosen by the URL alone."""
