"""OSC: rules without evaluation, and packets that do no harm."""

import json
import random
import socket
import struct
import time

import pytest

pytest.importorskip("pythonosc", reason="pip install 'stylegan[live]'")

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from run_cli import run_cli

from stylegan.errors import ConfigError, OutputError
from stylegan.studio.live import Live
from stylegan.studio.osc import PER_WINDOW, WINDOW_S, OscIn, OscOut, Rule, read_rules
from stylegan.studio.requests import LiveChange


@pytest.fixture
def live(session):
    return Live(session, watchers=1)


@pytest.fixture
def osc(live):
    with OscIn(live, 0) as osc:
        yield osc


def message(address, *values):
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def test_a_rule_is_scale_offset_curve_and_clamp():
    assert Rule(to="psi", scale=2, offset=-1).value(0.5) == 0
    assert Rule(to="psi", scale=4, curve="square").value(0.5) == 1
    assert Rule(to="psi", curve="root").value(-3) == 0
    assert Rule(to="psi", curve="smooth").value(0.5) == 0.5
    assert Rule(to="psi", scale=100, clamp=[1, -1]).value(7) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"/x": 5}',
        '{"/x": {"to": "network"}}',
        '{"/x": {"to": "psi", "eval": "1"}}',
        '{"/x": {"to": "psi", "curve": "__import__(\'os\')"}}',
        '{"/x": {"to": "psi", "scale": NaN}}',
        '{"/x": {"to": "psi", "scale": "x*2"}}',
        '{"/x": {"to": "psi", "clamp": [1]}}',
        '{"x": {"to": "psi"}}',
        "[" * 20000,
        json.dumps({f"/{i}": {"to": "psi"} for i in range(1001)}),
    ],
)
def test_files_that_hold_no_rules_get_a_sentence(tmp_path, content):
    file = tmp_path / "map.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"\.$"):
        read_rules(file)


def test_messages_steer_the_live_image_through_rules(live, tmp_path):
    file = tmp_path / "map.json"
    file.write_text('{"/fader/1": {"to": "psi", "scale": 2, "offset": -0.5}, "/pad": {"to": "seed", "scale": 100}}')
    with OscIn(live, 0, read_rules(file)) as osc:
        osc.take(message("/fader/1", 0.5))
        osc.take(message("/pad", 0.25))
        assert (live.state()["psi"], live.state()["seed"]) == (0.5, 25.0)
        osc.take(message("/stylegan/psi", 1.0))  # only what the file names
        assert (live.state()["psi"], osc.heard, osc.ignored) == (0.5, 2, 1)


def test_messages_arrive_by_udp_and_in_bundles(osc, live):
    bundle = OscBundleBuilder(IMMEDIATELY)
    for name, value in (("psi", 0.25), ("speed", 2.0)):
        builder = OscMessageBuilder(f"/stylegan/{name}")
        builder.add_arg(value)
        bundle.add_content(builder.build())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(bundle.build().dgram, ("127.0.0.1", osc.port))
    end = time.monotonic() + 10
    while osc.heard < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert (live.state()["psi"], live.state()["speed"]) == (0.25, 2.0)


def nested(depth):
    inner = message("/stylegan/psi", 1.0)
    for _ in range(depth):
        inner = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", len(inner)) + inner
    return inner


WRONG = [
    b"",
    b"\0",
    b"/",
    b"/stylegan/psi",
    b"/stylegan/psi\0\0\0,f\0\0",
    b"/stylegan/psi\0\0\0,f\0\0\x7f\xc0\0\0",  # NaN
    b"/stylegan/psi\0\0\0,f\0\0\x7f\x80\0\0",  # infinity
    b"/stylegan/psi\0\0\0,d\0\0\x7f\xf8\0\0\0\0\0\0",
    b"/stylegan/psi\0\0\0,[[[[[[\0",
    b"/stylegan/psi\0\0\0,b\0\0\xff\xff\xff\xff",
    b"#bundle\0" + bytes(8) + b"\x7f\xff\xff\xff",
    b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc",
    b"\xff" * 300,
    b"/" + b"x" * 4000,
    bytes(5000),
    message("/stylegan/psi", "1.0"),
    message("/stylegan/psi"),
    message("/stylegan/network", 1.0),
    message("/stylegan/../psi", 1.0),
    message("/stylegan/direction/none", 1.0),
    message("/*", 1.0),
    message("/stylegan/psi", 1.0)[:-1],
    message("/stylegan/psi", b"blob"),
    nested(2000),
]


@pytest.mark.parametrize("datagram", WRONG, ids=range(len(WRONG)))
def test_wrong_packets_change_nothing(osc, live, datagram):
    before = live.state()
    osc.take(datagram)
    assert live.state() == before
    assert (osc.heard, osc.ignored >= 1) == (0, True)


def test_random_packets_change_nothing_but_numbers_within_their_limits(osc, live):
    noise = random.Random(0)
    whole = message("/stylegan/psi", 1.0)
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(noise.randrange(1, 6)):
            damaged[noise.randrange(len(damaged))] = noise.randrange(256)
        osc.take(bytes(damaged))
    assert -2 <= live.state()["psi"] <= 3
    osc.take(whole)
    assert live.state()["psi"] == 1.0


def test_a_flood_is_read_at_a_bounded_rate_and_the_studio_stays_quick(osc, session, live):
    from stylegan.studio.requests import Generate

    packet = message("/stylegan/psi", 0.5)
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while time.monotonic() - begin < 0.5:
            for _ in range(50):
                sender.sendto(packet, ("127.0.0.1", osc.port))
    assert session.generate(Generate(network="plain", seeds=[1])).shape[0] == 1
    seconds = time.monotonic() - begin
    assert osc.heard <= PER_WINDOW * (seconds / WINDOW_S + 2)
    osc.take(message("/stylegan/psi", 0.9))
    assert osc.heard


def test_events_are_sent_as_messages(live):
    from pythonosc.osc_packet import OscPacket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        live.change(LiveChange(seed=3.0, speed=10.0, loop=2))
        live.send_events(OscOut(receiver.getsockname()[1]))
        heard = {}
        while not {"/stylegan/seed", "/stylegan/key", "/stylegan/loop"} <= heard.keys():
            for timed in OscPacket(receiver.recv(4096)).messages:
                heard[timed.message.address] = timed.message.params[0]
    live.close()
    assert 3 <= heard["/stylegan/seed"] < 5
    assert heard["/stylegan/key"] in (3, 4)


def test_a_port_that_is_taken_is_one_sentence(osc, live):
    with pytest.raises(OutputError, match="cannot listen on port"):
        OscIn(live, osc.port)


def test_rules_without_a_port_are_refused(tmp_path):
    file = tmp_path / "map.json"
    file.write_text("{}")
    result = run_cli("studio", "--osc-map", file, "--no-browser", "--port", "0")
    assert result.code == 2
    assert "add --osc-in PORT" in result.err
