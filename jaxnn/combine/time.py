"""How a combination of layers continues a sequence: each part from its own memory."""

from jaxnn.layer import Flow, Part, Time, params_of


def combined_time(parts: tuple[Part, ...], flow: Flow) -> Time | None:
    """How a combination continues a sequence: as its parts do. None where all parts treat all places alike."""
    if all(part.layer.time is None for part in parts):
        return None
    starts, extends, grows = {}, {}, False
    for part in parts:
        if (time := part.layer.time) is not None:
            if time.start is None or time.extend is None:
                return Time()
            starts[part.name], extends[part.name] = time.start, time.extend
            grows = grows or time.grows

    def start(params, batch, length):
        return {p.name: starts[p.name](params_of(p, params), batch, length) for p in parts if p.name in starts}

    def extend(params, memory, x):
        memories = {}

        def apply(part, x):
            if part.name not in extends:
                return part.layer.apply(params_of(part, params), x)
            y, memories[part.name] = extends[part.name](params_of(part, params), memory[part.name], x)
            return y

        return flow(x, apply), memories

    return Time(start, extend, grows)
