"""A motion as a Parquet table."""

import json
from pathlib import Path

from mjx_msk.errors import missing_extra
from mjx_msk.export.columns import columns
from mjx_msk.export.take import Take
from mjx_msk.files import replacing


def write(take: Take, path: Path) -> list[Path]:
    """Write a row per frame; each column's unit is in its metadata.

    Subject, quality and provenance are JSON in the table's metadata. Raises ``MskError``, also
    where pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_extra("pyarrow", "parquet", "Writing Parquet") from error
    motion = take.motion
    arrays, fields = [], []
    for column in columns(take):
        array = pyarrow.array(column.values, from_pandas=True)  # NaN is unknown
        arrays.append(array)
        fields.append(pyarrow.field(column.name, array.type, metadata={"unit": column.unit}))
    notes = {name: json.dumps(getattr(motion, name)) for name in ("subject", "quality")}
    notes["provenance"] = json.dumps(motion.provenance)
    table = pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields, metadata=notes))
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)
    return [path]
