"""Texts of decimal numbers, exactly: to integers of a power of ten, and to doubles.

A number is [+-]digits[.digits][e[+-]digits], in ASCII, with at most blanks around it: no NaN,
Infinity, 0x10, 1_000, 5d or 1,5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interest_graph.events.shapes import ShapeGroup, shape_groups

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_NUMBER = re.compile(
    rb"[ \t\r\n]*(?P<number>(?P<sign>[+-]?)(?P<whole>\d*)(?:\.(?P<fraction>\d*))?"
    rb"(?:[eE](?P<exponent>[+-]?\d+))?)[ \t\r\n]*"
)
_ROWS_AT_ONCE = 1 << 16  # the bytes of so many numbers stay in the processor's cache
_LONGEST = 400  # bytes
_INT_DIGITS = 18  # numbers of so many digits are 64-bit integers
_LARGEST = np.iinfo(np.int64).max
_EXACT_INTEGER = 2**53  # up to here, and for powers of ten up to 22, doubles are exact ...
_EXACT_POWER = 22  # ... so that one division or product of them is correctly rounded


def parse_scaled(texts: pa.Array, *, power: int, low: int, high: int) -> pa.Array:
    """The numbers times 10 ** power, rounded half to even: int64[n].

    Null where a text is no number or the result lies outside [low, high).
    """
    numbers, is_number = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for group in shape_groups(texts, _LONGEST):
        match = _match(group)
        if match is None:
            continue
        parsed = _decimals(group, match)
        if parsed is None:
            found, fits = _one_by_one(group, match, lambda text: _scaled(text, power), np.int64)
        else:
            found, fits = parsed.scaled(power)
        numbers[group.rows], is_number[group.rows] = found, fits
    is_number &= (numbers >= low) & (numbers < high)
    return pa.array(numbers, mask=~is_number)


def parse_doubles(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The numbers as doubles, correctly rounded: float64[n]; null where a text is no finite one."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    pieces = [
        _doubles(chunk.slice(start, _ROWS_AT_ONCE))
        for chunk in chunks
        for start in range(0, len(chunk), _ROWS_AT_ONCE)
    ]
    return pa.concat_arrays(pieces) if pieces else pa.array([], pa.float64())


def _doubles(texts: pa.Array) -> pa.Array:
    numbers, is_number = np.zeros(len(texts)), np.zeros(len(texts), bool)
    for group in shape_groups(texts, _LONGEST):
        match = _match(group)
        if match is None:
            continue
        parsed = _decimals(group, match)
        exact = None if parsed is None else parsed.exact_doubles()
        if exact is not None:
            numbers[group.rows], is_number[group.rows] = exact, True
        else:
            found, fits = _one_by_one(group, match, _finite, np.float64)
            numbers[group.rows], is_number[group.rows] = found, fits
    return pa.array(numbers + 0.0, mask=~is_number)  # + 0.0: no minus zero


@dataclass(frozen=True)
class _Decimals:
    """mantissa: int64[n], not negative; the numbers are sign * mantissa * 10 ** exponent."""

    sign: int
    mantissa: Ints
    exponent: Ints

    def scaled(self, power: int) -> tuple[Ints, Flags]:
        """The numbers times 10 ** power, rounded half to even, and whether they are in range."""
        shifts = self.exponent + power
        numbers, fits = np.zeros_like(self.mantissa), np.zeros(len(self.mantissa), bool)
        for shift in np.unique(shifts):
            rows = shifts == shift
            numbers[rows], fits[rows] = _shifted(self.mantissa[rows], int(shift))
        return self.sign * numbers, fits

    def exact_doubles(self) -> npt.NDArray[np.float64] | None:
        """The numbers as doubles; None if any needs more than one rounding."""
        if len(self.mantissa) and self.mantissa.max() > _EXACT_INTEGER:
            return None
        if np.abs(self.exponent).max(initial=0) > _EXACT_POWER:
            return None
        powers = np.array([float(10**n) for n in range(_EXACT_POWER + 1)])
        shifted = self.mantissa * powers[np.maximum(self.exponent, 0)]
        doubles: npt.NDArray[np.float64] = shifted / powers[np.maximum(-self.exponent, 0)]
        return self.sign * doubles


def _match(group: ShapeGroup) -> re.Match[bytes] | None:
    match = _NUMBER.fullmatch(group.shape)
    return match if match and (match["whole"] or match["fraction"]) else None


def _decimals(group: ShapeGroup, match: re.Match[bytes]) -> _Decimals | None:
    """The numbers in integers; None if they have too many digits for that."""
    n_fraction = len(match["fraction"] or b"")
    written = match["exponent"] or b""
    if len(match["whole"]) + n_fraction > _INT_DIGITS or len(written) > 4:
        return None
    mantissa = group.number(match.span("whole"))
    exponent = np.full(len(mantissa), -n_fraction)
    if n_fraction:
        mantissa = mantissa * 10**n_fraction + group.number(match.span("fraction"))
    if written:
        start, end = match.span("exponent")
        digits = group.number((end - len(written.lstrip(b"+-")), end))
        exponent += -digits if group.shape[start] == ord("-") else digits
    return _Decimals(-1 if match["sign"] == b"-" else 1, mantissa, exponent)


def _shifted(mantissa: Ints, shift: int) -> tuple[Ints, Flags | bool]:
    """mantissa * 10 ** shift, rounded half to even, and whether it fits into 64 bits."""
    if shift >= 0:
        factor = 10 ** min(shift, _INT_DIGITS)
        fits = (mantissa <= _LARGEST // factor) & ((shift <= _INT_DIGITS) | (mantissa == 0))
        return np.where(fits, mantissa, 0) * factor, fits
    if shift < -_INT_DIGITS:
        return np.zeros_like(mantissa), True
    whole, rest = np.divmod(mantissa, 10**-shift)
    half = 10**-shift // 2
    return whole + ((rest > half) | ((rest == half) & (whole % 2 == 1))), True


def _one_by_one(
    group: ShapeGroup, match: re.Match[bytes], parse: Callable[[str], Any], kind: type
) -> tuple[npt.NDArray[Any], Flags]:
    """The rare numbers of very many digits, by Python."""
    texts = group.columns[slice(*match.span("number"))]
    found = [parse(texts[:, row].tobytes().decode()) for row in range(texts.shape[1])]
    fits = np.array([number is not None for number in found])
    return np.array([number or 0 for number in found], kind), fits


def _scaled(text: str, power: int) -> int | None:
    try:
        number = Decimal(text)
    except ArithmeticError:  # an exponent that even Decimal cannot hold
        return None
    if number.adjusted() + power >= _INT_DIGITS:
        return 0 if number == 0 else None
    if number.adjusted() + power < -_INT_DIGITS:
        return 0
    shifted = number.scaleb(power, Context(prec=_LONGEST))
    return int(shifted.to_integral_value(ROUND_HALF_EVEN))


def _finite(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None
