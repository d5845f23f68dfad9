"""The README is true: it lists every setting and every folder."""

from pathlib import Path

from adapters.settings import Settings

ROOT = Path(__file__).parent.parent


def test_the_readme_lists_every_setting_with_its_description() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias if isinstance(field.validation_alias, str) else f"ROLLBOOK_{name.upper()}"
        assert f"| `{variable}` |" in readme
        assert str(field.description) in readme


def test_every_folder_in_the_readme_exists() -> None:
    named = [line.split("`")[1] for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]
    folders = [name for name in named if name.endswith("/")]
    assert len(folders) == 9
    assert all((ROOT / folder).is_dir() for folder in folders)
