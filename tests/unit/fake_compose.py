"""A Compose of a test's own."""

from pathlib import Path


def put(folder: Path, script: str) -> Path:
    """The program, where Docker's client looks for plugins in its configuration's folder (DOCKER_CONFIG); written over
    the one that is there."""
    file = folder / "cli-plugins" / "docker-compose"
    file.parent.mkdir(exist_ok=True)
    file.write_text(script)
    file.chmod(0o755)
    return file
