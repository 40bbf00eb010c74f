"""The long proofs: `python -m tests.prove [--only NAME] [--rounds N] [--list]`, or `make prove ONLY=name`.

Each proof is made of rounds. What a round printed is kept in `.lab/prove.json`, so that an interrupted proof goes on
where it was as long as the code is the same. PROOFS.md is written from it.
"""
