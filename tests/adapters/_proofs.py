"""A checker of the pseudo-Boolean proofs that Exact writes, for small ones: the rules of VeriPB's format 1.1.

A constraint is (coefficients by literal, degree): Σ a·ℓ ≥ degree with a > 0, literals "x3" and "~x3".
"""

from __future__ import annotations

from pathlib import Path

Constraint = tuple[dict[str, int], int]


def negated(literal: str) -> str:
    """Return the other literal of the same variable."""
    return literal[1:] if literal.startswith("~") else "~" + literal


def normal(terms: list[tuple[int, str]], degree: int) -> Constraint:
    """Return Σ a·ℓ ≥ degree with one literal per variable and positive coefficients."""
    by_variable: dict[str, int] = {}
    for a, literal in terms:
        if literal.startswith("~"):
            literal, a, degree = literal[1:], -a, degree - a
        by_variable[literal] = by_variable.get(literal, 0) + a
    found: dict[str, int] = {}
    for variable, a in by_variable.items():
        if a > 0:
            found[variable] = a
        elif a < 0:
            found["~" + variable], degree = -a, degree - a
    return found, degree


def parsed(text: str) -> Constraint:
    """Return the constraint of ``+1 x1 +2 ~x2 >= 2``."""
    left, right = text.rstrip("; \n").split(">=")
    words = left.split()
    return normal([(int(a), literal) for a, literal in zip(words[::2], words[1::2], strict=True)], int(right))


def added(one: Constraint, other: Constraint) -> Constraint:
    """Return the sum of two constraints."""
    return normal([(a, literal) for part in (one[0], other[0]) for literal, a in part.items()], one[1] + other[1])


def contradicts(constraint: Constraint) -> bool:
    """Return whether no assignment meets a constraint."""
    return sum(constraint[0].values()) < constraint[1]


def combined(words: list[str], known: dict[int, Constraint]) -> Constraint:
    """Return what a line of reverse Polish notation derives: sums, multiples, quotients, saturation, weakening."""
    stack: list[Constraint] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "+":
            other = stack.pop()
            stack.append(added(stack.pop(), other))
        elif word == "s":
            terms, degree = stack.pop()
            stack.append(({literal: min(a, degree) for literal, a in terms.items()} if degree > 0 else {}, degree))
        elif following == "*":
            terms, degree = stack.pop()
            assert int(word) > 0
            stack.append(({literal: a * int(word) for literal, a in terms.items()}, degree * int(word)))
        elif following == "d":
            terms, degree = stack.pop()
            assert int(word) > 0
            stack.append(({literal: -(-a // int(word)) for literal, a in terms.items()}, -(-degree // int(word))))
        elif following == "w":
            terms, degree = stack.pop()
            gone = {word, "~" + word}
            degree -= sum(a for literal, a in terms.items() if literal in gone)
            stack.append(({literal: a for literal, a in terms.items() if literal not in gone}, degree))
        elif word in ("*", "d", "w"):
            continue
        else:
            stack.append(known[int(word)] if word.lstrip("-").isdigit() else ({word: 1}, 0))
    (result,) = stack
    return result


def follows(constraint: Constraint, known: list[Constraint]) -> bool:
    """Return whether unit propagation from the negated constraint ends in a conflict."""
    terms, degree = constraint
    opposite = ({negated(literal): a for literal, a in terms.items()}, sum(terms.values()) - degree + 1)
    false: set[str] = set()
    moved = True
    while moved:
        moved = False
        for left, least in [*known, opposite]:
            slack = sum(a for literal, a in left.items() if literal not in false) - least
            if slack < 0:
                return True
            for literal, a in left.items():
                if a > slack and literal not in false and negated(literal) not in false:
                    false.add(negated(literal))
                    moved = True
    return False


def optimum_proved(formula: Path, proof: Path) -> int | None:
    """Return the least objective of a formula, every line of whose proof has been checked; None: infeasible.

    Raises
    ------
    AssertionError
        A line that does not follow, or a proof without a contradiction at its end.
    """
    rows, objective = [], {}
    for line in formula.read_text().splitlines():
        if line.startswith("min:"):
            words = line[4:].rstrip("; ").split()
            objective = {literal: int(a) for a, literal in zip(words[::2], words[1::2], strict=True)}
        elif not line.startswith("*") and line.strip():
            assert ">=" in line or "=" not in line
            rows.append(parsed(line))
    known: dict[int, Constraint] = {}
    best, seen = None, {literal.lstrip("~") for row in rows for literal in row[0]} | {v.lstrip("~") for v in objective}
    lines = proof.read_text().splitlines()
    assert lines[0] == "pseudo-Boolean proof version 1.1"
    for line in lines[1:]:
        rule, _, rest = line.partition(" ")
        if rule == "c":
            assert contradicts(known[int(rest)])
            return best
        if rule == "l":
            derived = rows[int(rest) - 1]
        elif rule == "rup":
            derived = parsed(rest)
            assert follows(derived, list(known.values())), line
        elif rule == "pol":
            derived = combined(rest.split(), known)
        elif rule == "red":  # a variable that is new, and alone meets the constraint
            text, (variable, value) = rest.split(";")[0], rest.split(";")[1].split()
            derived = parsed(text)
            assert variable not in seen, line
            assert derived[0][variable if value == "1" else "~" + variable] >= derived[1], line
            seen.add(variable)
        else:
            assert rule == "soli", line  # above all no "a", an assumption
            true = set(rest.split())
            assert all(sum(a for literal, a in row.items() if literal in true) >= least for row, least in rows), line
            value = sum(a for literal, a in objective.items() if literal in true)
            assert best is None or value < best
            best = value
            derived = normal([(-a, literal) for literal, a in objective.items()], 1 - best)
        known[len(known) + 1] = derived
    raise AssertionError("the proof ends without a contradiction")
