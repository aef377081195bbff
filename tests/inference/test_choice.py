"""The form that finishes the images soonest is chosen by measured times, which are kept."""

import json
from importlib import import_module

import pytest
import torch
from golden import R
from tiny_generations import shared_generator

from stylegan.errors import ConfigError
from stylegan.inference import choice
from stylegan.inference.choice import COMPILED, OPENVINO, UNCOMPILED, fastest_form


class Machine:
    """Forms that take the times of a table: preparation at the first and later uses, and seconds per image."""

    def __init__(self, monkeypatch):
        self.image_s = {"uncompiled": 1.0, "compiled": 0.8, "with OpenVINO": 0.4}
        self.first_s = {"uncompiled": 0.0, "compiled": 80.0, "with OpenVINO": 20.0}
        self.again_s = {"uncompiled": 0.0, "compiled": 10.0, "with OpenVINO": 2.0}
        self.prepared: list[str] = []
        self.clock = 0.0
        self.fails: set[str] = set()
        self.G = shared_generator("stylegan2")
        monkeypatch.setattr(choice.time, "perf_counter", lambda: self.clock)
        monkeypatch.setattr(choice, "find_spec", lambda name: object())
        monkeypatch.setattr(type(self.G), "for_inference", self.for_inference)

    def for_inference(self, precision="fp32", compile=False, engine="torch"):
        form = next(f for f in (UNCOMPILED, COMPILED, OPENVINO) if (f.compile, f.engine) == (compile, engine))
        return Drawer(self, form.name)

    def choose(self, images: int, **options):
        """The form chosen, and the names of those that were prepared for it."""
        self.prepared.clear()
        chosen = fastest_form(self.G, images, batch=4, **options)
        assert chosen.G.name == chosen.form.name
        return chosen.form, sorted(self.prepared)


class Drawer:
    def __init__(self, machine: Machine, name: str):
        self.machine, self.name, self.drawn = machine, name, False

    def synthesis(self, ws, noise_mode):
        machine, name = self.machine, self.name
        if not self.drawn and name != "uncompiled":
            machine.clock += machine.again_s[name] if name in machine.ever else machine.first_s[name]
            if name in machine.fails:
                raise ConfigError("OpenVINO cannot draw this network")
            machine.prepared.append(name)
            machine.ever.add(name)
        self.drawn = True
        machine.clock += machine.image_s[name] * len(ws)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path))
    machine = Machine(monkeypatch)
    machine.ever = set()
    return machine


def test_few_images_are_drawn_uncompiled_without_a_measurement(machine):
    assert machine.choose(31) == (UNCOMPILED, [])
    assert machine.clock == 0
    assert not (choice.default_cache() / "speeds.json").exists()


def test_a_form_is_tried_once_enough_images_can_pay_for_it(machine):
    assert machine.choose(32) == (UNCOMPILED, [])
    assert machine.choose(1000) == (OPENVINO, ["with OpenVINO"])  # compiling would have to beat what was measured
    assert machine.choose(33) == (OPENVINO, ["with OpenVINO"])  # the next preparation is short


def test_a_form_that_was_tried_and_is_slower_is_not_prepared_again(machine):
    machine.image_s |= {"with OpenVINO": 1.5, "compiled": 0.97}
    assert machine.choose(10_000) == (UNCOMPILED, ["compiled", "with OpenVINO"])
    assert machine.choose(100_000) == (UNCOMPILED, [])


def test_the_measured_preparation_counts(machine):
    machine.image_s |= {"with OpenVINO": 2.0, "compiled": 0.5}
    machine.again_s |= {"compiled": 70.0}
    assert machine.choose(1000)[0] == COMPILED
    assert machine.choose(100)[0] == COMPILED  # its preparation is assumed to be shorter the second time,
    assert machine.choose(100)[0] == UNCOMPILED  # and was measured to be not


def test_a_form_that_cannot_draw_the_network_is_left_out(machine):
    machine.fails.add("with OpenVINO")
    machine.image_s |= {"compiled": 0.5}
    assert machine.choose(1000) == (COMPILED, ["compiled"])
    assert "OpenVINO" not in fastest_form(machine.G, 1000, batch=4).reason


def test_the_compiled_form_is_left_out_where_noise_is_random(machine):
    machine.image_s |= {"compiled": 0.1, "with OpenVINO": 2.0}
    assert machine.choose(1000, noise_mode="random") == (UNCOMPILED, ["with OpenVINO"])


def test_the_reason_has_the_measured_times(machine):
    assert fastest_form(machine.G, 32, batch=4).reason == ""
    assert fastest_form(machine.G, 1000, batch=4).reason == (
        "Drawing with OpenVINO: an image takes 1000 ms uncompiled, 400 ms with OpenVINO after 22 s of preparation."
    )


def test_an_engine_that_is_not_installed_is_not_weighed(machine, monkeypatch):
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    machine.image_s |= {"compiled": 0.5}
    assert machine.choose(1000) == (COMPILED, ["compiled"])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": {"image_s": 1, "forms": {"compiled": {"x": 1}}}}', "[" * 9999])
def test_a_damaged_file_of_measurements_is_replaced(machine, text):
    machine.choose(1000)
    file = choice.default_cache() / "speeds.json"
    file.write_text(text)
    assert machine.choose(1000)[0] == OPENVINO
    assert len(json.loads(file.read_text())) == 1


def test_the_file_of_measurements_is_bounded(machine, monkeypatch):
    monkeypatch.setattr(choice, "KEPT", 3)
    for batch in range(1, 6):
        fastest_form(machine.G, 1000, batch=batch)
    assert len(json.loads((choice.default_cache() / "speeds.json").read_text())) == 3


def test_a_cache_that_cannot_be_written_changes_no_choice(machine, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "file"))
    assert machine.choose(1000)[0] == OPENVINO


def test_the_chosen_form_draws_the_images_of_the_network_and_no_random_numbers(monkeypatch, tmp_path):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    G, z, state = shared_generator("stylegan2"), R(1, [2, 8]), torch.get_rng_state()
    chosen = fastest_form(G, 10**9)
    assert torch.equal(torch.get_rng_state(), state)
    assert (chosen.G(z, noise_mode="const") - G(z, noise_mode="const")).abs().max() < 1e-4
    assert set(json.loads((tmp_path / "speeds.json").read_text()).popitem()[1]["forms"]) == {"compiled"}


def test_generate_draws_many_seeds_in_the_chosen_form_and_few_with_the_network_itself(monkeypatch):
    G, asked = shared_generator("stylegan2"), []
    fast, module = G.for_inference(), import_module("stylegan.sampling.generate")

    def chosen(network, images, **options):
        asked.append((images, options))
        return choice.Choice(fast, COMPILED)

    monkeypatch.setattr(module, "fastest_form", chosen)
    drawn: list = []
    monkeypatch.setattr(module, "generate_images", lambda G, seeds, **_: drawn.append(G) or [torch.zeros(3, 16, 16)])
    module.generate(G, range(31), batch=4)
    module.generate(G, range(32), batch=4)
    module.generate(fast, range(32), batch=4)
    assert asked == [(32, {"batch": 4, "noise_mode": "const"})]
    assert [network is G for network in drawn] == [True, False, False]
