"""`jaxnn play [CONFIG | RUN]`."""

import base64
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn.cli import device
from jaxnn.cli.progress import say_no_more
from jaxnn.cli.terminal import print_message, print_text
from jaxnn.cli.training_arguments import Play
from jaxnn.config.toml_file import MAX_BYTES
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.play.session import Opened, Session

#: Before the config in a link of the page.
LINK = "#config="
#: The config that the page opens with where none is named.
DEFAULT_CONFIG = "circles_mlp"


def run(command: Play, overrides: Sequence[str]) -> None:
    try:
        import starlette  # noqa: F401  a missing library is said before the page is made
        import uvicorn  # noqa: F401  likewise
    except ModuleNotFoundError as error:
        raise UserError(
            f"expected the libraries of the page, found no {error.name}; install them: pip install starlette uvicorn"
        ) from error
    from jaxnn.play.serve import listen, serve

    listener = listen(command.port)
    device.select_device(command.device)
    found = opened(command, overrides)

    def make_session() -> "Session":
        from jaxnn.play.session import Session

        return Session(found, command.data_dir)

    def announce(address: str) -> None:
        say_no_more()
        print_text(address)
        print_message("the page of the net; Ctrl-C ends it")

    serve(make_session, listener, open_browser=not command.no_browser, announce=announce)


def linked_config(link: str) -> str:
    """The TOML text of a link that the page made: raw deflate in base64url, at most 64 KiB of text."""
    packed = link.partition(LINK)[2]
    try:
        content = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        text = zlib.decompressobj(wbits=-15).decompress(content, MAX_BYTES + 1)
        return text.decode()
    except (ValueError, zlib.error) as error:
        raise UserError(f"{link[:60]}…: expected a link of the page of jaxnn play, found a damaged one") from error


def opened(command: Play, overrides: Sequence[str]) -> "Opened":
    """The config, or the finished run with its config, that the command line names."""
    from jaxnn.config import load
    from jaxnn.play.page_config import check_page_config
    from jaxnn.play.session import Opened

    name = command.config or DEFAULT_CONFIG
    if LINK in name:
        from jaxnn.config.load import load_text

        config = load_text(linked_config(name), "link", overrides)
        check_page_config(config, None)
        return Opened(config, None)
    folder = Path(name)
    if (folder / "manifest.json").is_file():
        from jaxnn.cli.reopened import open_run

        if overrides:
            raise UserError(f"--{overrides[0]}: expected a config, found a finished run, whose config is its own")
        run = open_run(folder, command.device)
        config = load(folder / "config.toml")
        return Opened(config, config, str(folder / "config.toml"), run)
    if command.seeds is not None:
        overrides = [*overrides, f"train.seeds={command.seeds}"]
    base = load(name)
    config = load(name, overrides)
    check_page_config(config, base)
    return Opened(config, base, name)
