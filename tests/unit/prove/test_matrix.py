"""The matrix of faults names what there is, and leaves no row out."""

from __future__ import annotations

from tests.lab.centre import ROOT
from tests.prove import matrix, paper
from tests.prove.catalogue import PROOFS

ROWS = {"A": range(1, 10), "B": range(1, 13), "C": range(1, 8), "D": range(1, 8), "E": range(1, 6)}
ROWS |= {"H": (1, 2, 3, 7, 8), "I": range(1, 10)}


def test_every_row_is_there_once_and_shown_by_something():
    assert [row.id for row in matrix.ROWS] == [f"{kind}{n}" for kind, numbers in ROWS.items() for n in numbers]
    assert [row.id for row in matrix.ROWS if not row.shown_by] == []


def test_every_test_and_proof_named_exists():
    assert matrix.unknown(ROOT, {proof.name for proof in PROOFS}) == []


def test_a_name_that_nobody_has_is_found(tmp_path):
    assert len(matrix.unknown(tmp_path, set())) == sum(len(row.shown_by) for row in matrix.ROWS)


def test_the_paper_keeps_sections_of_proofs_that_were_run_elsewhere_and_ends_with_the_matrix(tmp_path):
    file = tmp_path / "PROOFS.md"
    file.write_text("# Proofs\n\n## demo\n\nAs it was.\n\n## gone\n\nA proof that is no more.\n")
    paper.write({}, PROOFS, file)
    text = file.read_text()
    assert "As it was." in text
    assert "A proof that is no more." not in text
    assert text.index("## The matrix of faults") > text.index("## demo")
    paper.write({}, PROOFS, file)
    assert file.read_text() == text
