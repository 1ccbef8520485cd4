"""The points of a sweep on the command line, as a table and as JSON."""

import json

import made_store

from analysis import __main__ as commands
from analysis import pareto
from analysis.pareto import table


def test_pareto_as_json_gives_every_point_with_its_place_on_the_front(tracking_uri, capsys):
    assert commands.main(["pareto", "--json", "--name", "demo", "--tracking-uri", tracking_uri]) == 0
    points = {each["trial_key"]: each for each in json.loads(capsys.readouterr().out)["points"]}
    assert set(points) == {each.key for each in made_store.points()}
    reference = points["uncompressed"]
    assert (reference["on_front"], reference["psnr_db"], reference["lmbda"]) == (False, None, None)
    assert points["pretrain-l0.001"]["on_front"] is True
    assert points["jpeg-q35"]["on_front"] is False
    for point in points.values():
        assert {"kind", "codec", "lmbda", "gamma", "bpp", "accuracy", "psnr_db", "on_front"} <= set(point)


def test_pareto_as_a_table_stars_the_front(tracking_uri, capsys):
    assert pareto.main(["--tracking-uri", tracking_uri]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("sweep demo (the most recent of demo, older)")
    assert len(lines) == 2 + len(made_store.points())
    assert any(line.startswith("*  finetune") for line in lines)


def test_the_table_goes_by_rate_and_stars_the_front():
    record = {"kind": "pretrain", "codec": "tic", "lmbda": 0.01, "gamma": 0.0, "quality": None, "accuracy": 0.5}
    records = [{**record, "bpp": 2.0, "on_front": False}, {**record, "bpp": 1.0, "on_front": True}]
    lines = table(records, ["bpp", "accuracy"]).split("\n")
    assert "accuracy" in lines[0]
    assert lines[1].startswith("*")
    assert "1.000" in lines[1]
    assert not lines[2].startswith("*")
    assert "2.000" in lines[2]
