"""Start the Space: settings, services, web server. `python app.py [--host] [--port] [--share]`."""

from __future__ import annotations

import argparse
import os
import sys

from app.errors import UserError
from app.first_start import add_bundled_studies
from app.listener import listen
from app.services import build_services
from app.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; 2 when a setting, the database or the address cannot be used."""
    parser = argparse.ArgumentParser(description="CALM Space: speech from text and a voice.")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1, all addresses on a Space)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7860)")
    parser.add_argument("--share", action="store_true", help="also open a public gradio.live address")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(host=options.host, port=options.port)
        services = build_services(settings)
        listener = listen(settings.host, settings.port)

        # after the settings, which set what gradio reads when it is imported
        from app.server import create_app, serve

        app = create_app(services)
        add_bundled_studies(services.database, settings.media_dir)  # beside the page, which does not wait for it
        serve(app, listener, share=options.share)
    except UserError as error:
        print(error.message, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"The app cannot start: {error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # Ctrl-C is how one stops it; the server has shut down in order by now
        sys.stderr.flush()
        os._exit(0)  # taking Python down under threads that compute would abort the process instead
    return 0


if __name__ == "__main__":
    sys.exit(main())
