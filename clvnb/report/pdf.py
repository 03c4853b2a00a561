"""The report as a tagged PDF, set from the very page by WeasyPrint; part of ``clvnb[pdf]``.

In: the page. Out: a PDF file that a screen reader can follow.
"""

from __future__ import annotations

from pathlib import Path

from ..core.errors import UsageError

__all__ = ["check_pdf", "write_pdf"]


def check_pdf() -> None:
    """Say before any work what PDFs need that is not there."""
    try:
        import weasyprint  # noqa: F401
    except ImportError as error:
        raise UsageError('--pdf needs WeasyPrint: pip install "clvnb[pdf]"') from error
    except OSError as error:
        raise UsageError(
            "--pdf needs the Pango library, which WeasyPrint did not find: on Debian or Ubuntu, "
            f"apt-get install libpango-1.0-0 libpangoft2-1.0-0 ({error})"
        ) from error


def write_pdf(page: str, path: Path) -> None:
    """Write a page as a PDF for universal access (PDF/UA-1)."""
    import weasyprint

    only_inside = weasyprint.urls.URLFetcher(allowed_protocols=["data"])  # a report loads nothing
    weasyprint.HTML(string=page, url_fetcher=only_inside).write_pdf(
        str(path), pdf_variant="pdf/ua-1", pdf_identifier=b"clvnb"
    )
