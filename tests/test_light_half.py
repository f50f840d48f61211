"""The light half answers without the heavy half: these modules must never be loaded by it."""

import subprocess
import sys

HEAVY = (
    "keras",
    "tensorflow",
    "torch",
    "jax",
    "sklearn",
    "matplotlib",
    "scipy",
    "pandas",
    "ray",
    "pyarrow",
    "onnx",
    "skimage",
)

REPORT = f"""
import sys
heavy = sorted(name for name in sys.modules if name.split(".")[0] in {HEAVY!r})
print("HEAVY", heavy, file=sys.stderr)
"""


def heavy_modules_after(code):
    result = subprocess.run([sys.executable, "-c", code + REPORT], capture_output=True, text=True, check=False)
    assert "HEAVY" in result.stderr, result.stderr
    return result.stderr.rsplit("HEAVY ", 1)[1].strip()


def test_a_check_with_every_kind_of_report_loads_nothing_heavy(toy_bundle, face_file, tmp_path):
    arguments = ["check", str(face_file), "--bundle", str(toy_bundle), "--html", f"{tmp_path}/o.html"]
    arguments += ["--csv", f"{tmp_path}/o.csv", "--heatmap", str(tmp_path / "maps")]
    code = f"""
from unmask.cli.main import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    assert heavy_modules_after(code) == "[]"


def test_no_help_loads_anything_heavy():
    code = """
from unmask.cli.main import main
for verb in main.commands:
    try:
        main([verb, "--help"])
    except SystemExit as end:
        assert end.code == 0, verb
"""
    assert heavy_modules_after(code) == "[]"


def test_importing_the_package_loads_nothing_but_itself():
    code = "import unmask\nimport sys\nassert 'numpy' not in sys.modules, 'numpy'"
    assert heavy_modules_after(code) == "[]"


def test_knowing_the_verbs_loads_no_library_that_they_need():
    code = "import unmask.cli.main\nimport sys\n"
    code += "assert not {'numpy', 'cv2', 'flask', 'pydantic', 'onnxruntime', 'PIL', 'tempfile'} & set(sys.modules)"
    assert heavy_modules_after(code) == "[]"
