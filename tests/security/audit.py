"""Known vulnerabilities of the pinned versions, by pip-audit: `make audit`. Fails where there are any.

Where the advisories are out of reach (no network, a mirror without them) nothing is audited, and the output states it.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print what is known, and exit with 1 if that is a vulnerability."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "-r", ROOT / "constraints.txt", "--no-deps", "--disable-pip", "-f", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        told = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print("nothing audited, the advisories are out of reach:", done.stderr.strip().splitlines()[-1][:200])
        return
    skipped = [each["name"] for each in told if "skip_reason" in each]
    found = [(each, flaw) for each in told for flaw in each.get("vulns", ())]
    for each, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "nothing"
        print(f"{each['name']} {each['version']}: {flaw['id']}, fixed in {fixed}")
    print(f"{len(told) - len(skipped)} of {len(told)} pinned versions audited, {len(found)} vulnerabilities known")
    if skipped:
        print("not found among the advisories:", "all" if len(skipped) == len(told) else ", ".join(skipped))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
