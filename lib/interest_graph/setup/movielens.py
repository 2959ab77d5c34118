"""Fetch MovieLens 100k (GroupLens) for the demo, from the wheel of RecBole that contains it."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

from interest_graph.errors import InterestGraphError
from interest_graph.setup.wheels import Wheel, fetched

CARRIER = Wheel(
    "recbole", "1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
)
# The files of MovieLens with their SHA-256; .kg and .link in the same folder are not part of it.
FILES = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
OWNER = (
    "MovieLens 100k is GroupLens Research's data (University of Minnesota), under their terms of\n"
    "use; it is no part of this project. Cite: F. M. Harper and J. A. Konstan, The MovieLens\n"
    "Datasets: History and Context, ACM TiiS 5(4), 2015, doi:10.1145/2827872."
)
_FOLDER_IN_CARRIER = "recbole/dataset_example/ml-100k"


def fetch_movielens(folder: Path) -> bool:
    """Put the files into the folder; return False if they were there already, unchanged."""
    if all(_is_right(folder / name, digest) for name, digest in FILES.items()):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with fetched(CARRIER) as wheel, zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            (folder / name).write_bytes(archive.read(f"{_FOLDER_IN_CARRIER}/{name}"))
    return True


def _is_right(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def main(argv: list[str]) -> int:
    """Fetch into the folder named by the only argument; return the exit code."""
    folder = Path(argv[0] if argv else "data/ml-100k")
    try:
        is_new = fetch_movielens(folder)
    except (InterestGraphError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, InterestGraphError) else 1
    if is_new:
        print(f"{OWNER}\nIt lies in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
