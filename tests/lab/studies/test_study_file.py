"""Study files: what they say, and mistakes with their lines."""

import pytest

from qproj.lab.studies.study_file import read_study_file

GOOD_TOML = """\
instances = ["digits", "layers.npz"]
solvers = [
    "auto",
    "sa:encoding=margin|majority",  # two
    "polished(random)",
]
reads = [10, 100]
time_limits_s = [1, "none"]
seeds = [0, 4]
max_neurons = 12
"""
GOOD_YAML = """\
instances: digits
solvers:
  - auto
  - sa
reads: 50
"""


def write(folder, text, name="study.toml"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_toml_file(tmp_path):
    told = read_study_file(write(tmp_path, GOOD_TOML))
    assert told.instances == ["digits", str(tmp_path / "layers.npz")]
    assert told.solvers[1] == "sa:encoding=margin|majority"
    assert (told.reads, told.time_limits_s, told.seeds, told.max_neurons) == ([10, 100], [1.0, None], [0, 4], 12)
    assert told.nulls


def test_a_yaml_file(tmp_path):
    told = read_study_file(write(tmp_path, GOOD_YAML, "study.yaml"))
    assert (told.instances, told.solvers, told.reads, told.seeds) == (["digits"], ["auto", "sa"], [50], 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reads =", "read =", r"line 7: unknown name 'read'; did you mean 'reads'"),
        ('"auto"', '"atuo"', r"line 3: solvers: 'atuo'.*did you mean 'auto'"),
        ("polished(random)", "polished(randm)", r"line 5: .*did you mean 'random'"),
        ("[10, 100]", "[10, 0]", r"line 7: reads: .*greater than or equal to 1, not 0"),
        ("[10, 100]", "[10, 1.5]", r"line 7: reads: .*integer, not 1.5"),
        ("[10, 100]", "[]", r"line 7: reads: .*at least 1 item"),
        ('[1, "none"]', "[-1]", r"line 8: time_limits_s: .*greater than 0, not -1"),
        ('[1, "none"]', "[nan]", r"line 8: time_limits_s: .*finite number"),
        ("[0, 4]", "[0, -4]", r"line 9: seeds: .*greater than or equal to 0, not -4"),
        ("max_neurons = 12", 'max_neurons = "all"', r"line 10: max_neurons: .*valid integer, not 'all'"),
        ('instances = ["digits", "layers.npz"]', "", r"instances is missing; add it"),
        ("max_neurons = 12", "max_neurons = ", r"study.toml: .*line 10"),
        (
            "max_neurons = 12",
            'encodings = ["margin", "margn"]',
            r"line 10: encodings: 'margn': unknown encoding; did you mean 'margin'",
        ),
    ],
)
def test_toml_mistakes_name_their_line(tmp_path, old, new, message):
    assert old in GOOD_TOML
    with pytest.raises(ValueError, match=message):
        read_study_file(write(tmp_path, GOOD_TOML.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- sa", "- saa", r"line 4: solvers: 'saa'"),
        ("reads: 50", "reds: 50", r"line 5: unknown name 'reds'"),
        ("reads: 50", "reads: [", r"study.yaml: .*line"),
        (GOOD_YAML, "just text", "a mapping of names"),
    ],
)
def test_yaml_mistakes_name_their_line(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        read_study_file(write(tmp_path, GOOD_YAML.replace(old, new), "study.yaml"))


def test_all_mistakes_are_reported_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"line 1: .*line 2: ") as raised:
        read_study_file(write(tmp_path, 'instances = []\nsolvers = ["x"]\n'))
    assert "line 1" in str(raised.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"neither \.toml nor \.yaml"):
        read_study_file(write(tmp_path, "{}", "study.json"))
    with pytest.raises(ValueError, match=r"--instances .*mine\.npz"):
        read_study_file(write(tmp_path, "", "mine.npz"))
    with pytest.raises(FileNotFoundError, match="is not a file"):
        read_study_file(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "name", ["../x.npz", "/x.npz", "sub/../../x.coo", "a.npz,../x.npz", "a.npz|../x.txt", "random:n=9,d=5,../x.npz"]
)
def test_paths_that_leave_the_study_files_folder_are_refused(tmp_path, name):
    folder = tmp_path / "study"
    folder.mkdir()
    for path in (tmp_path / "x.npz", folder / "a.npz"):
        path.touch()
    text = f'solvers = ["auto"]\ninstances = ["digits", "{name}"]\n'
    with pytest.raises(ValueError, match=r"study.toml, line 2: .*x\.\w+' is outside .*--instances"):
        read_study_file(write(folder, text))


def test_links_that_leave_the_folder_are_refused_and_others_taken(tmp_path):
    folder = tmp_path / "study"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "x.npz").touch()
    (folder / "out.npz").symlink_to(tmp_path / "x.npz")
    (folder / "sub" / "in.npz").symlink_to(folder / "a.npz")
    text = 'solvers = ["auto"]\ninstances = ["{}", "random:n=9,d=5|7"]\n'
    with pytest.raises(ValueError, match="outside"):
        read_study_file(write(folder, text.format("out.npz")))
    told = read_study_file(write(folder, text.format("sub/in.npz,sub/../a.npz,digits")))
    assert told.instances == [
        str(folder / "sub/in.npz"), str(folder / "sub/../a.npz"), "digits", "random:n=9,d=5|7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.toml", b"x = 1\nsolvers = ['\xff\xfe']\n", r"a\.toml, line 2: byte 0xff is not UTF-8"),
        ("a.yaml", b"x: 1\nsolvers: ['\xff']\n", r"a\.yaml, line 2: byte 0xff is not UTF-8"),
        ("a.toml", b"x = 1\na = " + b"[" * 5000 + b"]" * 5000, r"a\.toml, line 2: more than 100 brackets"),
        ("a.yaml", b"x: 1\na: " + b"[" * 5000 + b"]" * 5000, r"a\.yaml, line 2: more than 100 brackets"),
        ("a.yaml", b"".join(b" " * i + b"a:\n" for i in range(3000)), r"a\.yaml: nested too deeply"),
        ("a.toml", b"instances = ['a\0b']", r"a\.toml: .*character.*line 1, column 16"),
        ("a.yaml", b"instances: ['a\0b']", r"a\.yaml: .*position 14"),
        ("a.toml", b"instances=['random']\nsolvers=['sign']\nseeds=1000000000\n", r"a\.toml, line 3: seeds.*at most"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_one_line_with_the_place(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_study_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfinstances = ['digits']\nsolvers = ['sign']\n")
    assert read_study_file(tmp_path / "a.toml").instances == ["digits"]
