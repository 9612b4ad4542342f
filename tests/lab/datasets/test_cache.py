import sys
from pathlib import Path

import pytest

from qproj._extras import install_hint
from qproj.lab.datasets import load_digits, load_karate
from qproj.lab.datasets.cache import cache_dir
from qproj.lab.datasets.catalogue import catalogue


@pytest.mark.parametrize(
    ("platform", "name", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/x", "/x/qproj"),
        ("linux", None, None, "/home/me/.cache/qproj"),
        ("darwin", None, None, "/home/me/Library/Caches/qproj"),
        ("win32", "LOCALAPPDATA", "/local", "/local/qproj/Cache"),
        ("win32", None, None, "/home/me/AppData/Local/qproj/Cache"),
        ("linux", "QPROJ_CACHE_DIR", "~/mine", "/home/me/mine"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch, platform, name, value, expected):
    for variable in ("QPROJ_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", platform)
    if name:
        monkeypatch.setenv(name, value)
    assert cache_dir() == Path(expected)


@pytest.mark.parametrize(("module", "load"), [("sklearn", load_digits), ("networkx", load_karate)])
def test_missing_packages_name_the_extra(monkeypatch, module, load):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install .*\[data\]"):
        load()


def test_missing_packages_show_in_the_catalogue(monkeypatch):
    monkeypatch.delenv("QPROJ_DATA_DIR", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = {entry.name: entry for entry in catalogue()}
    assert found["digits"].where == "missing"
    assert install_hint("data") in found["karate"].note


def test_sets_describe_themselves():
    assert repr(load_digits()) == "Tabular('digits', rows=1077/360/360, features=64, classes=10)"
    assert repr(load_karate()) == "Graph('karate', nodes=34, edges=78, features=34, classes=4, split=4/0/30)"
