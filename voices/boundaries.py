"""Compares the phone boundaries of `alignment.tsv` with those that flite spoke.

    python3 boundaries.py alignment.tsv RECORDINGS FLITE_VOICE

RECORDINGS holds what `flite -voice FLITE_VOICE -t TEXT -o NAME.wav` said, with the text in NAME.txt. flite tells with
`-psdur` when each of its phones ends. A boundary is compared where the same two phones stand on its sides.
"""

import csv
import difflib
import pathlib
import subprocess
import sys
from statistics import mean, median

SAME = {"ax": "ah"}


def spoken(text, voice):
    """Phones with their begins, from flite."""
    command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", "/dev/null"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    phones, begin_s = [], 0.0
    for pair in told.split():
        name, end_s = pair.rsplit(":", 1)
        phones.append((SAME.get(name, name), begin_s))
        begin_s = float(end_s)
    return [phone for phone in phones if phone[0] != "pau"]


def aligned(path):
    """Phones with their begins, by recording."""
    files = {}
    with open(path, encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["word"]:
                phone = row["phone"].rstrip("012").lower()
                files.setdefault(row["file"], []).append((phone, float(row["begin_s"])))
    return files


def main():
    table, folder, voice = sys.argv[1:]
    errors_ms, signed_ms = [], []
    for file, ours in aligned(table).items():
        text = pathlib.Path(folder, file).with_suffix(".txt")
        if not text.exists():
            continue
        theirs = spoken(text.read_text(encoding="utf-8").strip(), voice)
        names = [[name for name, _ in phones] for phones in (theirs, ours)]
        for block in difflib.SequenceMatcher(None, *names, autojunk=False).get_matching_blocks():
            for i in range(1, block.size):
                error = 1000 * (ours[block.b + i][1] - theirs[block.a + i][1])
                errors_ms.append(abs(error))
                signed_ms.append(error)
    errors_ms.sort()
    within = 100 * sum(error <= 20 for error in errors_ms) / len(errors_ms)
    print(
        f"{len(errors_ms)} boundaries: mean {mean(errors_ms):.1f} ms, median {median(errors_ms):.1f} ms, "
        f"within 20 ms {within:.0f} %, 95 % within {errors_ms[int(0.95 * len(errors_ms))]:.0f} ms, "
        f"mean offset {mean(signed_ms):+.1f} ms"
    )


if __name__ == "__main__":
    main()
