"""The command that adds an extra suits the installation: editable from a checkout, by name from a wheel."""

import os

from qproj import _extras
from qproj._extras import install_hint


def test_in_a_checkout_the_hint_is_editable(monkeypatch, tmp_path):
    monkeypatch.setattr(_extras, "__file__", str(tmp_path / "qproj" / "_extras.py"))
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert install_hint("torch") == 'pip install -e ".[torch]"'
    assert install_hint("torch", "data") == 'pip install -e ".[torch,data]"'
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert install_hint("torch") == f'pip install -e "{tmp_path}[torch]"'
    os.rmdir(tmp_path / "elsewhere")
    assert install_hint("torch") == f'pip install -e "{tmp_path}[torch]"'


def test_elsewhere_it_names_the_distribution(monkeypatch, tmp_path):
    monkeypatch.setattr(_extras, "__file__", str(tmp_path / "site-packages" / "qproj" / "_extras.py"))
    assert install_hint("gurobi") == 'pip install "qproj[gurobi]"'
