"""Which references lead to an object."""

from __future__ import annotations

from gitaly_py.git.reading.interface import Reader, Reference


async def references_to(reader: Reader, oid: str) -> list[Reference]:
    """See Reader.references_to. Only tags among the references in doubt are read."""
    holders = await reader.holders(oid)
    values = list({each.oid for each in holders.open})
    infos = [info async for info in reader.info_each(value.encode() for value in values)]
    tags = {info.oid for info in infos if info is not None and info.type == "tag"}
    ends = [end async for end in reader.info_each(f"{tag}^{{}}".encode() for tag in tags)]
    leading = {tag for tag, end in zip(tags, ends, strict=True) if end is not None and end.oid == oid}
    found = holders.certain + [each for each in holders.open if each.oid in leading]
    return sorted(found, key=lambda reference: reference.name)
