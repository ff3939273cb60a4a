"""The transfer baselines end to end, on real data with small random networks."""

from pathlib import Path

import numpy as np
import pytest
from ecdbench import evaluate, load_task
from ecdbench.benchmark.conformance import check_predictor
from ecdbench.benchmark.errors import DataError, EcdbenchError, ModelError
from PIL import Image

from .conftest import create

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.training import loop  # noqa: E402
from ecdbench.baselines.transfer import image_batches  # noqa: E402

SMALL = {"backbone": "test_resnet", "weights": "random", "max_epochs": 2, "views": 3, "batch_size": 16}


@pytest.fixture(scope="module")
def texts():
    return load_task("ecd-fcc/k_vrh", text="key")


@pytest.fixture
def forwards(monkeypatch):
    """How many images pass through a backbone."""
    counted = []
    read = image_batches.ImageReader.batch
    monkeypatch.setattr(
        image_batches.ImageReader, "batch", lambda self, images, rows: counted.extend(rows) or read(self, images, rows)
    )
    return counted


def predictions(run):
    return run.predictions()["prediction"].to_numpy()


def artifacts(run):
    return run.folder / "artifacts" / "seed-0_fold-0"


def curves(run):
    return run.curves().curves


def test_frozen_says_what_it_is(k_vrh):
    run = evaluate("frozen", k_vrh, parameters=SMALL)
    info = run.result.model.info
    assert info["backbone"] == "test_resnet" and info["weights"] == "random" and len(info["weights_sha256"]) == 64
    assert info["size"] == "75x75" and info["parameters"] == 372_688 and info["trained_parameters"] == 97
    assert run.result.stages == {}  # there is one stage only
    (curve,) = curves(run)
    assert curve.stage == "head" and len(curve.train) == len(curve.validation) == 2
    Image.open(run.folder / "learning_curves.png").verify()


def test_random_weights_are_marked_on_every_table(k_vrh, cli):
    evaluate("frozen", k_vrh, parameters=SMALL)
    board = cli("leaderboard", "--format", "markdown")
    assert "RANDOM WEIGHTS" in board.out
    assert "RANDOM WEIGHTS" in cli("leaderboard").out
    given = [f"--set={name}={value}" for name, value in SMALL.items()]
    assert "RANDOM WEIGHTS" in cli("evaluate", "frozen", "--task", "ecd-fcc/k_vrh", *given).out


def test_folds_seeds_and_models_share_features(k_vrh, forwards):
    evaluate("frozen", k_vrh, parameters=SMALL, protocol="cv")
    rows = len(k_vrh.splits["train"]) + len(k_vrh.splits["validation"])
    assert len(forwards) == 2 * rows  # once as they are, once for the bank of views
    forwards.clear()
    evaluate("frozen", k_vrh, parameters={**SMALL, "learning_rate": 0.1}, protocol="cv", seeds=2)
    assert forwards == []
    evaluate("frozen", k_vrh, parameters=SMALL)
    assert len(forwards) == len(k_vrh.splits["holdout"])


def test_other_weights_or_sizes_are_other_features(k_vrh, forwards):
    evaluate("frozen", k_vrh, parameters=SMALL)
    count = len(forwards)
    evaluate("frozen", k_vrh, parameters={**SMALL, "size": "60x60"})
    assert len(forwards) == 2 * count


def test_the_file_of_weights_is_part_of_the_cache_key(k_vrh, tmp_path):
    from ecdbench.baselines.transfer.backbone import Backbone
    from ecdbench.baselines.transfer.weights import find_weights
    from safetensors.torch import save_file

    network = Backbone("test_resnet", find_weights("test_resnet", "random")).network
    path = tmp_path / "weights.safetensors"
    runs = []
    for factor in (1, 1, 2):
        save_file({name: value * factor for name, value in network.state_dict().items()}, path)
        runs.append(evaluate("frozen", k_vrh, parameters={**SMALL, "weights": str(path)}))
    assert runs[0].folder == runs[1].folder != runs[2].folder
    assert runs[0].result.model.info["weights"] == "file weights.safetensors"
    assert not np.allclose(predictions(runs[0]), predictions(runs[2]))


def test_the_head_learns_from_features(k_vrh):
    """Even random features tell densities apart: training helps."""
    run = evaluate("frozen", k_vrh, parameters={**SMALL, "max_epochs": 60, "learning_rate": 0.05})
    assert run.result.scores["train"]["skill"].value > 0.2


@pytest.mark.parametrize("layers", [5, [5, 20, "all"]])
def test_finetuned_records_every_stage(k_vrh, layers):
    run = evaluate("finetuned", k_vrh, parameters={**SMALL, "layers": layers})
    names = ["head", *(f"last {n} layers" if n != "all" else "all layers" for n in np.atleast_1d(layers).tolist())]
    names = [name.replace("last all", "all") for name in names]
    assert len(run.result.stages) == len(names)
    assert next(iter(run.result.stages)) == "head"
    assert set(run.result.stages["head"]) == {"train", "validation", "holdout"}
    last = list(run.result.stages.values())[-1]["holdout"]["rmse"].value
    assert last == pytest.approx(run.result.scores["holdout"]["rmse"].value)
    assert [curve.stage for curve in curves(run)] == list(run.result.stages)
    for curve in curves(run):
        rmse = run.result.stages[curve.stage]["validation"]["rmse"].value
        assert curve.validation[curve.best_epoch] == pytest.approx(rmse, rel=1e-3)


def test_only_the_head_has_the_heads_learning_rate(k_vrh, monkeypatch):
    rates, train = [], loop.train
    monkeypatch.setattr(loop, "train", lambda *given: rates.append(given[4].learning_rate) or train(*given))
    evaluate("finetuned", k_vrh, parameters={**SMALL, "layers": [5, 20, "all"], "max_epochs": 1})
    assert rates == [0.01, 1e-4, 1e-4, 1e-4]


def test_finetuning_changes_the_network_and_keeps_what_earlier_stages_learnt(k_vrh):
    options = {**SMALL, "finetuning_rate": 0.003, "max_epochs": 6}
    run = evaluate("finetuned", k_vrh, parameters={**options, "layers": [5, 20]})
    rmse = [stages["train"]["rmse"].value for stages in run.result.stages.values()]
    assert rmse[1] < rmse[0] and rmse[2] < rmse[0]


def test_an_interrupt_in_any_stage_loses_no_finished_one(k_vrh, monkeypatch):
    options = {**SMALL, "layers": [5, 20]}
    expected = evaluate("finetuned", k_vrh, parameters=options, cache="whole")
    trained, train = [], loop.train

    def watched(network, *rest):
        trained.append(rest[-1].title)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(network, *rest)

    monkeypatch.setattr(loop, "train", watched)
    with pytest.raises(KeyboardInterrupt):
        evaluate("finetuned", k_vrh, parameters=options)
    resumed = evaluate("finetuned", k_vrh, parameters=options)
    assert trained == ["head", "last 5 layers", "last 5 layers", "last 20 layers"]
    assert predictions(resumed) == pytest.approx(predictions(expected), rel=1e-6)
    assert len(resumed.result.stages) == 3


def test_a_damaged_checkpoint_is_trained_again_and_notes_survive(k_vrh, monkeypatch):
    options, calls = {**SMALL, "layers": [5, 20]}, []
    expected = evaluate("finetuned", k_vrh, parameters=options, cache="whole")
    train = loop.train

    def watched(network, *rest):
        calls.append(rest[-1].title)
        if len(calls) == 3:
            raise KeyboardInterrupt
        rest[-1].notes.append(f"{rest[-1].title} was odd.")
        return train(network, *rest)

    monkeypatch.setattr(loop, "train", watched)
    with pytest.raises(KeyboardInterrupt):
        evaluate("finetuned", k_vrh, parameters=options)
    (damaged,) = (file for file in Path("..").rglob("1-last-5-layers.pt"))
    damaged.write_bytes(damaged.read_bytes()[:999])
    resumed = evaluate("finetuned", k_vrh, parameters=options)
    assert calls[3:] == ["last 5 layers", "last 20 layers"]
    assert predictions(resumed) == pytest.approx(predictions(expected), rel=1e-6)
    assert resumed.result.notes[:2] == [
        "head was odd.",
        "The stage 'head' was restored from an interrupted run; its training time is not counted.",
    ]


@pytest.mark.parametrize("backbone", ["mobilenetv3_small_050", "test_vit"])
def test_heads_of_other_kinds_of_networks(k_vrh, backbone):
    size = {"size": "160x160"} if backbone == "test_vit" else {}
    run = evaluate("frozen", k_vrh, parameters={**SMALL, "backbone": backbone, "max_epochs": 1, "views": 0, **size})
    assert run.result.model.info["trained_parameters"] > 1


@pytest.mark.parametrize("encoder", ["roberta", "albert"])
@pytest.mark.parametrize("fusion", ["scalar", "features"])
def test_image_and_text_in_four_stages(texts, encoders, encoder, fusion):
    options = {**SMALL, "layers": 5, "encoder": encoders[encoder], "fusion": fusion, "max_tokens": 40}
    run = evaluate("image-text", texts, parameters=options)
    assert list(run.result.stages) == ["head", "last 5 layers", "image + text head", "image + text tuned"]
    info = run.result.model.info
    assert info["encoder"] == f"random-{encoder}" and info["encoder_parameters"] > 1000
    assert run.result.model.inputs == ["image", "text"]
    assert len(run.result.notes) == 1 and "longer than 40 tokens" in run.result.notes[0]


@pytest.mark.parametrize(
    ("modality", "stages"),
    [("image", ["head", "last 5 layers"]), ("text", ["text head", "text tuned"])],
)
def test_the_arms_of_image_and_text(texts, encoders, modality, stages):
    options = {**SMALL, "layers": 5, "encoder": encoders["roberta"], "modality": modality, "max_tokens": 40}
    run = evaluate("image-text", texts, parameters=options)
    assert list(run.result.stages) == stages
    assert run.result.model.inputs == [modality]


def test_texts_pass_through_a_frozen_encoder_once(texts, encoders, monkeypatch):
    from ecdbench.baselines.transfer.networks import TextNetwork

    passed, forward = [], TextNetwork.forward
    monkeypatch.setattr(
        TextNetwork, "forward", lambda self, tokens, mask: passed.append(len(tokens)) or forward(self, tokens, mask)
    )
    options = {**SMALL, "encoder": encoders["roberta"], "modality": "text", "text_layers": 0, "max_tokens": 40}
    evaluate("image-text", texts, parameters=options, seeds=2)
    assert sum(passed) == len({row["text"] for row in texts.rows.values()})


def test_only_the_last_layers_of_the_encoder_are_trained(encoders):
    from ecdbench.baselines.transfer.text_encoder import load_text_model

    encoder = load_text_model(encoders["roberta"])
    trained = [name for name, p in encoder.trainable(1).named_parameters() if p.requires_grad]
    assert trained and all("layer.2." in name for name in trained)
    assert all(p.requires_grad for p in encoder.trainable("all").parameters())
    assert not any(p.requires_grad for p in encoder.model.parameters())


@pytest.mark.parametrize("tier", ["none", "key"])
def test_clip(clip_folder, tier):
    data = load_task("ecd-fcc/k_vrh", text=tier)
    run = evaluate("clip", data, parameters={"model": clip_folder, "max_epochs": 2, "views": 2})
    width = 12 if tier == "none" else 24
    assert run.result.model.info["trained_parameters"] == width + 1
    assert run.result.model.info["encoder"] == "random-clip"


@pytest.mark.parametrize("name", ["frozen", "finetuned"])
def test_they_behave_as_predictors(k_vrh, name):
    extra = {} if name == "frozen" else {"layers": 5}
    checks = check_predictor(name, k_vrh, parameters={**SMALL, **extra})
    assert [check.remedy for check in checks if check.outcome != "passed"] == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("frozen", {}),
        ("finetuned", {"layers": 5}),
        ("image-text", {"layers": 5, "max_tokens": 40}),
        ("clip", {}),
    ],
)
def test_classification(classification, encoders, clip_folder, name, options):
    small = {**SMALL, "max_epochs": 20, "learning_rate": 0.01}
    if name == "image-text":
        options = {**options, "encoder": encoders["roberta"]}
    if name == "clip":
        small, options = {"max_epochs": 20, "views": 3}, {"model": clip_folder}
    model = create(name, {**small, **options})
    model.fit(classification.train, classification.validation, classification.context())
    for probabilities in (model.predict(classification.train), *model.predict_stages(classification.train).values()):
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
    curves = model.curves()
    assert curves[0].train[-1] < curves[0].train[0]
    assert all(curve.validation[curve.best_epoch] == min(curve.validation) for curve in curves)


def test_a_loss_that_explodes_stops_and_says_so(k_vrh, cli, monkeypatch):
    epoch, calls = loop.train_epoch, []

    def exploding(*arguments):
        calls.append(1)
        return epoch(*arguments) if len(calls) < 3 else float("nan")

    monkeypatch.setattr(loop, "train_epoch", exploding)
    given = [f"--set={name}={value}" for name, value in {**SMALL, "max_epochs": 9}.items()]
    found = cli("evaluate", "frozen", "--task", "ecd-fcc/k_vrh", *given)
    assert found.code == 0 and len(calls) == 3
    assert "The loss of head was not finite in epoch 3" in found.out


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"backbone": "resnet_18"}, "Did you mean resnet18"),
        ({"size": "196"}, "write WIDTHxHEIGHT"),
        ({"size": "20x20", "backbone": "inception_v3"}, "does not accept images of 20x20; --set size=75x75 works"),
        ({"backbone": "vit_tiny_patch16_224"}, "does not accept images of 75x75; --set size=224x224 works"),
        ({"learning_rate": 0}, r"learning_rate must be a positive number \(got 0\)"),
        ({"batch_size": 0}, r"batch_size must be a positive integer \(got 0\)"),
        ({"precision": "half"}, "Choose one of auto, float32, bfloat16"),
        ({"views": -1}, r"views must be a non-negative integer \(got -1\)"),
        ({"views": True}, r"views must be a non-negative integer \(got True\)"),
        ({"backbone": 3}, r"backbone must be a text \(got 3\)"),
        ({"backbone": "resnet18.nonsense"}, "no backbone 'resnet18.nonsense'"),
        ({"dropout": 1.5}, r"dropout must be at least 0 and below 1 \(got 1.5\)"),
        ({"weights": "nothing.safetensors"}, "There is no weights file"),
    ],
)
def test_bad_parameters(k_vrh, parameters, message):
    with pytest.raises((ModelError, DataError), match=message):
        evaluate("frozen", k_vrh, parameters={**SMALL, **parameters})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layers": [20, 5]}, "an increasing list"),
        ({"layers": "most"}, "an increasing list"),
        ({"layers": []}, "an increasing list"),
        ({"batch_norm": "open"}, "Choose one of frozen, batch"),
        ({"finetuning_rate": 0}, "finetuning_rate must be a positive number"),
        ({"layers": True}, "an increasing list"),
        ({"backbone": "test_vit", "size": "160x160", "layers": 5}, "use layers=all"),
    ],
)
def test_bad_layers(k_vrh, parameters, message):
    with pytest.raises(ModelError, match=message):
        evaluate("finetuned", k_vrh, parameters={**SMALL, **parameters})


def test_bad_texts(k_vrh, texts, encoders, tmp_path):
    options = {**SMALL, "layers": 5, "encoder": encoders["roberta"]}
    with pytest.raises(ModelError, match="needs text: give --text single, key or all"):
        evaluate("image-text", k_vrh, parameters=options)
    with pytest.raises(ModelError, match="reads 3 to 64 tokens"):
        evaluate("image-text", texts, parameters={**options, "max_tokens": 100})
    with pytest.raises(ModelError, match="Did you mean features"):
        evaluate("image-text", texts, parameters={**options, "fusion": "feature"})
    with pytest.raises(ModelError, match="is not a transformers model"):
        evaluate("image-text", texts, parameters={**options, "encoder": str(tmp_path)})
    with pytest.raises(ModelError, match="There is no folder '/nothing/here'"):
        evaluate("image-text", texts, parameters={**options, "encoder": "/nothing/here"})
    for layers, message in (
        (-1, "text_layers must be a non-negative integer"),
        ("foo", "text_layers must be a non-negative integer"),
        (4, "has 3 blocks; or give all"),
    ):
        with pytest.raises(ModelError, match=message):
            evaluate("image-text", texts, parameters={**options, "max_tokens": 40, "text_layers": layers})


def test_bad_clips(k_vrh, clip_folder, encoders):
    for change, message in (
        ({"views": -1}, r"views must be a non-negative integer \(got -1\)"),
        ({"dropout": 3}, r"dropout must be at least 0 and below 1 \(got 3\)"),
        ({"model": encoders["roberta"]}, "holds a model of type roberta, not clip"),
    ):
        with pytest.raises(ModelError, match=message):
            evaluate("clip", k_vrh, parameters={"model": clip_folder, "max_epochs": 1, **change})


@pytest.mark.parametrize(("absent", "message"), [("tokenizer", "no tokenizer"), ("safetensors", "no weights as")])
def test_an_encoder_with_something_missing(texts, encoders, tmp_path, absent, message):
    import pathlib
    import shutil

    folder = pathlib.Path(shutil.copytree(encoders["roberta"], tmp_path / absent))
    for file in folder.iterdir():
        if absent in file.name:
            file.unlink()
    options = {**SMALL, "encoder": str(folder), "modality": "text", "max_tokens": 40}
    with pytest.raises(ModelError, match=message):
        evaluate("image-text", texts, parameters=options)


def test_an_encoder_that_is_not_there_offline(texts, monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="text encoder FacebookAI/roberta-base is not here"):
        evaluate("image-text", texts, parameters={**SMALL, "modality": "text"})


def test_a_gpu_that_is_not_there(k_vrh):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(EcdbenchError, match="use --device cpu"):
        evaluate("frozen", k_vrh, parameters=SMALL, device="cuda")


def test_text_of_a_tier_the_dataset_lacks(cli):
    found = cli("evaluate", "image-text", "--task", "sfe", "--text", "all")
    assert found.code == 1 and "single" in found.err and "Traceback" not in found.err
