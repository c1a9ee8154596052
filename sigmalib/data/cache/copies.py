"""The reading copy: a panel on disk, memory-mapped, tied to the record it was made from.

    <folder>/<count>-<fingerprint>/planes.npy, days.npy, theirs.npy, axis.npy    the arrays of ``panel``
                                   about.json            symbols, coverage, and the batches it was made from
                                   quarantine.parquet    when there are quarantined rows

It is derived, never the record: not used once a batch it was made from is gone or changed, and brought up to date in
memory with the batches that came after it (the maps are private, copied on write). A generation is written beside the
older one and renamed into place whole; whoever still reads the older one keeps it until done.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from sigmalib.data.cache.panel import FIELDS, Panel
from sigmalib.data.cache.record import BatchName, Span

LAYOUT = ["1", *FIELDS]  # a copy of another layout is made anew


def write_copy(panel: Panel, folder: Path) -> None:
    """Keep ``panel`` as the newest generation in ``folder`` and remove the older ones; for one writer at a time."""
    older = _generations(folder)
    for unfinished in folder.glob(".*.unfinished"):
        shutil.rmtree(unfinished, ignore_errors=True)
    count = int(older[-1].name.partition("-")[0]) + 1 if older else 1
    made = folder / f".{os.getpid()}-{count}.unfinished"
    made.mkdir(parents=True)
    np.save(made / "planes.npy", panel.planes)
    np.save(made / "theirs.npy", panel.theirs)
    np.save(made / "axis.npy", panel.axis)
    if len(panel.symbols) > 1:
        np.save(made / "days.npy", panel.by_day())
    if len(panel.quarantine):
        panel.quarantine.to_parquet(made / "quarantine.parquet")
    told = {
        "symbols": panel.symbols,
        "count": panel.count,
        "batches": panel.batches,
        "coverage": {name: [[str(start), str(end)] for start, end in spans] for name, spans in panel.coverage.items()},
        "revisions": panel.revisions,
        "lost": panel.lost,
        "layout": LAYOUT,
    }
    (made / "about.json").write_text(json.dumps(told), encoding="utf-8")
    made.rename(folder / f"{count:08d}-{panel.fingerprint}")
    for old in older:
        shutil.rmtree(old, ignore_errors=True)
    panel.unwritten = 0


def open_copy(folder: Path, names: Mapping[str, BatchName], lost: Collection[str] = ()) -> Panel | None:
    """The newest generation, if every batch it was made from is there as it was; else None.

    lost : the batches that were set aside, of which a copy must know, too.
    """
    for place in reversed(_generations(folder)):
        try:
            about = json.loads((place / "about.json").read_text(encoding="utf-8"))
            if about.get("layout") != LAYOUT or set(about["lost"]) != set(lost):
                return None
            if any(name not in names or list(names[name].state) != state for name, state in about["batches"].items()):
                return None
            return _read(place, about)
        except (OSError, ValueError, KeyError):  # replaced by a newer one meanwhile, or spoilt: it is only a copy
            continue
    return None


def _read(place: Path, about: Mapping[str, object]) -> Panel:
    days, quarantine = place / "days.npy", place / "quarantine.parquet"
    coverage: Mapping[str, Sequence[Sequence[str]]] = about["coverage"]  # type: ignore[assignment]
    return Panel(
        symbols=about["symbols"],  # type: ignore[arg-type]
        axis=np.load(place / "axis.npy"),
        count=about["count"],  # type: ignore[arg-type]
        planes=np.load(place / "planes.npy", mmap_mode="c"),
        theirs=np.load(place / "theirs.npy", mmap_mode="c"),
        days=np.load(days, mmap_mode="c") if days.exists() else None,
        batches=about["batches"],  # type: ignore[arg-type]
        coverage={name: [_span(span) for span in spans] for name, spans in coverage.items()},
        quarantine=pd.read_parquet(quarantine) if quarantine.exists() else pd.DataFrame(),
        revisions=about["revisions"],  # type: ignore[arg-type]
        lost=about["lost"],  # type: ignore[arg-type]
    )


def _generations(folder: Path) -> list[Path]:
    """The reading copies in a folder, oldest first."""
    return sorted(folder.glob("[0-9]*-*")) if folder.is_dir() else []


def _span(days: Sequence[str]) -> Span:
    return date.fromisoformat(days[0]), date.fromisoformat(days[1])
