"""The studio: an HTTP API and a page in the browser, over a session that needs neither."""

from stylegan.studio.session import Session

__all__ = ["Session"]
