"""Kernels: how loops over voxels are compiled (numba). The loops themselves stand where they are used.

Compiled code is kept for the next run beside the package, or in the user's cache folder, or where ``NUMBA_CACHE_DIR``
says. Where none of these can be written (a read-only installation, an account without a home) it is compiled anew in
every run, which takes longer and changes no result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Decorator that compiles a function at its first call, to machine code that releases the GIL.

    Parameters
    ----------
    **options
        Further options of ``numba.njit``.
    """

    def compile_late(function: Function) -> Function:
        try:
            return njit(cache=True, nogil=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # there is no place for the cache
            return njit(nogil=True, **options)(function)  # type: ignore[no-any-return]

    return compile_late


kernel = compiled()
"""Decorator for a kernel without further options."""
