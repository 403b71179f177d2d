"""Sounds that come over HTTP, as temporary files."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path

from starlette.datastructures import UploadFile

from app.errors import UserError

BLOCK = 1 << 20


async def received(file: UploadFile, max_mb: float) -> Path:
    """Copy an upload to a temporary file, which the caller removes.

    Raises:
        UserError: 413 it is larger than the limit.
    """
    size = 0
    with tempfile.NamedTemporaryFile(suffix=Path(file.filename or "").suffix[:8], delete=False) as target:
        path = Path(target.name)
        while block := await file.read(BLOCK):
            size += len(block)
            if size > max_mb * 1e6:
                break
            target.write(block)
    if size > max_mb * 1e6:
        path.unlink(missing_ok=True)
        raise UserError(f"The upload is larger than {max_mb:g} MB.", status=413, code="too_large", param="file")
    return path


def decoded(text: str, max_mb: float, param: str = "audio") -> Path:
    """The same for a sound that came as base64.

    Raises:
        UserError: it is no base64, or larger than the limit.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UserError(f"The field '{param}' is not base64; encode the bytes of a sound file.", param=param) from None
    if len(data) > max_mb * 1e6:
        raise UserError(f"The sound is larger than {max_mb:g} MB.", status=413, code="too_large", param=param)
    with tempfile.NamedTemporaryFile(delete=False) as target:
        target.write(data)
    return Path(target.name)
