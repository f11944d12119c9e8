"""Speaks through a Wyoming server with the reference client; prints one JSON object of what came back.

    wyoming_client.py URI describe|whole|stream TEXT...

`whole` sends one text; `stream` sends the pieces, and the whole text between them and the end, as Home Assistant does.
"""

import asyncio
import base64
import json
import sys

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)


async def main(uri, command, pieces):
    voice = SynthesizeVoice(name="tiny")
    if command == "describe":
        requests, last = [Ping(text="there?"), Describe()], Info
    elif command == "whole":
        requests, last = [Synthesize(text=pieces[0], voice=voice)], AudioStop
    else:
        requests = [SynthesizeStart(voice=voice)]
        requests += [SynthesizeChunk(text=piece) for piece in pieces]
        requests += [Synthesize(text="".join(pieces), voice=voice), SynthesizeStop()]
        last = SynthesizeStopped
    came = {"events": [], "audio": b"", "formats": []}
    async with AsyncClient.from_uri(uri) as client:
        for request in requests:
            await client.write_event(request.event())
        while True:
            event = await client.read_event()
            assert event is not None, "closed early"
            if not came["events"] or came["events"][-1] != event.type:
                came["events"].append(event.type)
            if AudioChunk.is_type(event.type):
                chunk = AudioChunk.from_event(event)
                came["audio"] += chunk.audio
                came["formats"].append([chunk.rate, chunk.width, chunk.channels])
            elif AudioStart.is_type(event.type):
                start = AudioStart.from_event(event)
                came["formats"].append([start.rate, start.width, start.channels])
            elif Pong.is_type(event.type):
                came["pong"] = Pong.from_event(event).text
            elif Info.is_type(event.type):
                (program,) = Info.from_event(event).tts
                came["streams"] = program.supports_synthesize_streaming
                came["voices"] = {voice.name: voice.languages for voice in program.voices}
            elif Error.is_type(event.type):
                raise SystemExit(Error.from_event(event).text)
            if last.is_type(event.type):
                break
    came["audio"] = base64.b16encode(came["audio"]).decode()
    came["formats"] = sorted(set(map(tuple, came["formats"])))
    print(json.dumps(came))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
