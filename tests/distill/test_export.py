"""`export`: each form loaded again by those who read it, and what cannot be exported refused."""

import json
from importlib.util import find_spec

import pytest
import torch

from tests.distill.exported import VALIDATION, save_base, save_judge, smollm_tokenizer
from tests.models.tiny import TEMPLATE, byte_tokenizer
from utta.core.errors import UttaError
from utta.core.files import read_json, sha256, write_json
from utta.distill.export import gguf, ollama
from utta.distill.export.llama import NOT_INSTALLED
from utta.distill.export.merged import merge
from utta.distill.export.parity import BOUNDS, out_of_bounds
from utta.distill.export.plain import read_plain
from utta.distill.export.run import ADAPTER, MODEL, NO_DATA, NOT_WHOLE, Asked, export
from utta.models.catalogue import locate
from utta.models.engine import load_weights
from utta.programs.folder import open_program
from utta.programs.inputs import judge_inputs

DECISIONS = 2 * len(VALIDATION)
PHI3 = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == "
    "'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
WITH_DEFAULT = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind."
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def judge(tmp_path, base):
    return save_judge(tmp_path / "judge", base)


@pytest.fixture
def exported(judge, tmp_path):
    return lambda to, **more: export(Asked(judge, to, tmp_path / to, **more))


def test_peft_is_plain_lora_and_answers_as_the_program(exported, tmp_path, base):
    manifest = exported("peft")
    out = tmp_path / "peft"
    config = read_json(out / "adapter_config.json")
    assert (config["r"], config["lora_alpha"], config["use_rslora"], config["bias"]) == (8, 16, False, "none")
    assert config["target_modules"] == ["down_proj", "q_proj", "v_proj"] and config["layers_to_transform"] is None
    checked = manifest["parity"]["forms"]["adapter"]
    assert checked["prompts"] == {"n": DECISIONS, "same_tokens": DECISIONS, "same_template": True}
    assert checked["with_the_program"]["same_level"] == DECISIONS
    assert checked["with_the_program"]["largest_difference"] < 0.05
    assert 0 < checked["in_float32"]["largest_difference"] < 0.05
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == files - {"manifest.json"} and "probe/probe.safetensors" in files
    assert all(sha256(out / name) == digest for name, digest in manifest["files"].items())
    assert manifest["base"]["id"] == "base" and "local folder" in manifest["base"]["note"]
    assert manifest == read_json(out / "manifest.json")
    with pytest.raises(UttaError, match="was exported for other servers"):
        open_program(str(out))


@pytest.mark.parametrize("config", [{}, {"use_rslora": True}, {"lora_alpha": 5}])
def test_the_scale_stays_what_it_was(tmp_path, base, config):
    """The weight that plain LoRA adds to each layer is the one that PEFT adds."""
    adapter = save_judge(tmp_path / "judge", base, **config) / "adapter"
    lora, before = read_plain(adapter), load_weights(base, torch.float32).state_dict()
    after = merge(base, adapter).state_dict()
    for layer, (down, up) in lora.factors.items():
        added = after[f"{layer}.weight"] - before[f"{layer}.weight"]
        torch.testing.assert_close(lora.alpha / lora.rank * up @ down, added, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias all"),
        ({"rank_pattern": {"q_proj": 8}}, "ranks or scales that differ"),
        ({"alpha_pattern": {"q_proj": 8}}, "ranks or scales that differ"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights pissa"),
        ({"peft_type": "LOHA"}, "peft_type LOHA"),
    ],
)
@pytest.mark.parametrize("to", ["peft", "gguf"])
def test_more_than_plain_lora_is_refused_before_anything_is_made(tmp_path, base, to, config, said):
    judge = save_judge(tmp_path / "judge", base, **config)
    with pytest.raises(UttaError, match=rf"is more than plain LoRA \({said}.*\), .* export it with --to merged\.$"):
        export(Asked(judge, to, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_merged_folder_is_a_program_of_its_own(exported, judge, tmp_path):
    manifest = exported("merged")
    assert manifest["parity"]["forms"]["merged"]["in_float32"]["same_level"] == DECISIONS
    assert not (judge / "adapter" / "model.safetensors").exists()
    assert [path.name for path in (tmp_path / "merged").glob("*.safetensors")] == ["model.safetensors"]
    merged, original = open_program(str(tmp_path / "merged")), open_program(str(judge))
    assert merged.model_name == str(tmp_path / "merged") and merged.adapter is None
    assert merged.state == original.state
    inputs = judge_inputs(VALIDATION[0])
    ours, theirs = merged(**inputs), original(**inputs)
    for name in ("clarity", "tone"):
        assert ours[name].value == theirs[name].value
        assert ours[name].probabilities == pytest.approx(theirs[name].probabilities, abs=0.1)  # bf16


def test_gguf_files_hold_the_weights(exported, tmp_path, judge, base):
    manifest = exported("gguf")
    forms = manifest["parity"]["forms"]
    for form, tensors in (("gguf model", 2 * 9 + 2), ("gguf adapter", 2 * 3 * 2)):
        found = forms[form]["weights"]
        assert (found["tensors"], found["missing"]) == (tensors, 0)
        assert found["largest_difference"] < 1e-3
    assert forms["gguf model"]["transformers"]["in_float32"]["same_level"] == DECISIONS
    assert forms["gguf model"]["transformers"]["in_float32"]["largest_difference"] < 0.02
    no_base = "not checked: the catalogue has no GGUF file of the base model"
    assert forms["gguf adapter"]["llama.cpp"] == (no_base if find_spec("llama_cpp") else NOT_INSTALLED)
    from gguf import GGUFReader

    fields = GGUFReader(tmp_path / "gguf" / ADAPTER).fields
    told = {key: fields[key].contents() for key in ("general.type", "adapter.type", "general.architecture")}
    assert told == {"general.type": "adapter", "adapter.type": "lora", "general.architecture": "llama"}
    assert fields["adapter.lora.alpha"].contents() == 16
    names = {tensor.name for tensor in GGUFReader(tmp_path / "gguf" / ADAPTER).tensors}
    assert {"blk.0.attn_q.weight.lora_a", "blk.1.ffn_down.weight.lora_b"} <= names


def test_llama_cpp_reads_the_model_as_the_program_does(exported):
    pytest.importorskip("llama_cpp", reason=NOT_INSTALLED)
    found = exported("gguf")["parity"]["forms"]["gguf model"]["llama.cpp"]
    assert found["in_float32"]["same_level"] == DECISIONS
    assert found["in_float32"]["largest_difference"] < 0.05
    assert found["prompts"] == {"n": DECISIONS, "same_tokens": DECISIONS, "same_template": True}


def test_a_file_with_other_weights_is_found_out(tmp_path, judge, base):
    """The query rows in Transformers' order, as somebody would write them who does not know better."""
    lora, model = read_plain(judge / "adapter"), load_weights(base, torch.float32)
    gguf.write_adapter(lora, model.config, tmp_path / "a.gguf")
    ups = {f"{layer}.weight.lora_b": up for layer, (_, up) in lora.factors.items()}
    downs = {f"{layer}.weight.lora_a": down for layer, (down, _) in lora.factors.items()}
    assert gguf.read_back(tmp_path / "a.gguf", ups | downs, model.config)["largest_difference"] < 1e-3
    wrong = {name: gguf.reordered(up, name, model.config) for name, up in ups.items()}
    assert gguf.read_back(tmp_path / "a.gguf", wrong | downs, model.config)["largest_difference"] > 0.1
    assert gguf.read_back(tmp_path / "a.gguf", ups, model.config)["missing"] == len(downs)


def test_phi3_adapters_have_its_names_and_rows_as_they_are(tmp_path):
    from gguf import GGUFReader
    from transformers import Phi3Config

    from utta.distill.export.plain import PlainLora

    layers = ["self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"]
    pair = torch.randn(8, 16), torch.randn(24, 8)
    lora = PlainLora(8, 16.0, {f"model.layers.1.{layer}": pair for layer in layers})
    config = Phi3Config(num_hidden_layers=2, hidden_size=16, num_attention_heads=4, pad_token_id=0)
    gguf.write_adapter(lora, config, tmp_path / "phi.gguf")
    held = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "phi.gguf").tensors}
    assert {name.removesuffix(".weight.lora_b") for name in held if name.endswith("b")} == {
        "blk.1.attn_qkv", "blk.1.attn_output", "blk.1.ffn_up", "blk.1.ffn_down",
    }  # fmt: skip
    assert torch.equal(torch.tensor(held["blk.1.attn_qkv.weight.lora_b"]), pair[1].half())


def test_a_tokenizer_of_another_kind_is_refused(base):
    assert gguf.tokenizer_fields(smollm_tokenizer(), 300)["tokenizer_pre"] == "smollm"
    with pytest.raises(UttaError, match="tokenizer is of a kind that cannot be written as GGUF here"):
        gguf.tokenizer_fields(byte_tokenizer(), 300)  # it does not cut text at all


def test_the_embedded_tokenizer_is_written_as_its_own_file_has_it(embedded):
    from gguf import GGUFReader
    from transformers import AutoTokenizer

    files = list((embedded.folder.parents[1] / "gguf").glob("SmolLM2*.gguf"))
    if not files:
        pytest.skip("the original GGUF file is not here; utta export --to ollama of an embedded judge fetches it")
    fields = GGUFReader(files[0]).fields
    ours = gguf.tokenizer_fields(AutoTokenizer.from_pretrained(embedded.folder, local_files_only=True), 49152)
    names = {"model": "tokenizer_model", "pre": "tokenizer_pre", "tokens": "token_list", "merges": "token_merges"}
    names |= {"token_type": "token_types", "unknown_token_id": "unk_token_id", "padding_token_id": "pad_token_id"}
    names |= {name: name for name in ("bos_token_id", "eos_token_id", "add_bos_token", "add_space_prefix")}
    for theirs, name in names.items():
        assert fields[f"tokenizer.ggml.{theirs}"].contents() == ours[name], name
    assert fields["tokenizer.chat_template"].contents() == ours["chat_template"]


@pytest.mark.parametrize("template", [TEMPLATE, WITH_DEFAULT, PHI3])
def test_the_pieces_of_a_template_make_the_same_bytes(template):
    tokenizer = byte_tokenizer(template)
    found = ollama.pieces(tokenizer)
    turns = [
        {"role": r, "content": f"{{{{ {r} }}}}\n "}
        for r in ("system", "user", "assistant", "user", "assistant", "user")
    ]
    for talk in (turns, turns[1:], turns[:2], turns[1:2]):
        rendered = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        assert found.render(talk) == rendered
    assert found.go().count("{{ end }}") == 3


def test_a_template_that_does_more_is_refused():
    counting = "{% for m in messages %}{{ loop.index }} {{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    with pytest.raises(UttaError, match="chat template cannot be written for Ollama"):
        ollama.pieces(byte_tokenizer(counting))


def test_ollama_gets_a_modelfile(exported, tmp_path):
    manifest = exported("ollama")
    told = (tmp_path / "ollama" / "Modelfile").read_text(encoding="utf-8")
    assert told.startswith(f'FROM ./{MODEL}\nTEMPLATE """')
    assert told.endswith('PARAMETER stop "<|im_end|>"\nPARAMETER num_ctx 4096\nPARAMETER temperature 0\n')
    assert manifest["parity"]["forms"]["modelfile"]["same_bytes"] == 4
    assert not (tmp_path / "ollama" / "Modelfile.adapter").exists()  # there is no GGUF file of the base


def test_decisions_can_be_read_without_utta(exported, judge, tmp_path, base):
    """With decisions.json, the merged folder, Transformers and safetensors alone."""
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    exported("merged")
    told = read_json(tmp_path / "merged" / "decisions.json")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged", local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32, local_files_only=True)
    inputs = judge_inputs(VALIDATION[0])
    prompt = told["prompt"]
    for name, value in inputs.items():
        mark = "{" + name + "}"
        prompt = prompt.replace(mark, value) if value else "\n".join(x for x in prompt.split("\n") if mark not in x)
    judged = open_program(str(judge))(**inputs)
    probe = load_file(tmp_path / "merged" / told["probe"]["file"])
    response = tokenizer(inputs["teacher_response"], add_special_tokens=False)["input_ids"]
    for criterion in told["criteria"]:
        ids = tokenizer(prompt + criterion["then"], add_special_tokens=False, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**ids).logits[0, -1]
        p = logits[[level["token"] for level in criterion["levels"]]].softmax(0)
        if (name := criterion["criterion"]) == "clarity":
            p = (p * (probe[f"{name}.scores"][response].mean(0) + probe[f"{name}.bias"]).softmax(0)).sqrt()
        p = (p / p.sum()).tolist()
        ours = judged[criterion["criterion"]].probabilities
        assert p == pytest.approx(list(ours.values()), abs=0.1)  # the program runs in bf16
        best = max(zip(p, criterion["levels"], strict=True), key=lambda pair: pair[0] * pair[1]["weight"])
        assert best[1]["label"] == judged[criterion["criterion"]].value


def test_without_its_data_an_export_says_that_it_was_not_checked(exported, judge, tmp_path):
    (judge / "validation.jsonl").rename(tmp_path / "moved.jsonl")
    assert exported("peft")["parity"] == {"forms": {"adapter": NO_DATA}, "bounds": BOUNDS, "out_of_bounds": []}
    assert exported("merged", data=tmp_path / "moved.jsonl", rows=2)["parity"]["decisions"] == 4


def test_what_is_more_than_rounding_is_named():
    same = {"n": 96, "same_level": 92, "mean_difference": 0.06}
    prompts = {"n": 96, "same_tokens": 96, "same_template": True}
    good = {
        "gguf model": {
            "weights": {"missing": 0, "largest_difference": 5e-4},
            "llama.cpp": {"in_float32": same, "with_the_program": {"same_level": 0}, "prompts": prompts},
            "transformers": NO_DATA,
        },
        "modelfile": {"conversations": 4, "same_bytes": 4},
    }
    assert out_of_bounds(good) == []
    for key, change, said in (
        ("in_float32", same | {"same_level": 91}, "gguf model llama.cpp in_float32"),
        ("in_float32", same | {"mean_difference": 0.11}, "gguf model llama.cpp in_float32"),
        ("prompts", prompts | {"same_tokens": 95}, "gguf model llama.cpp prompts"),
        ("prompts", prompts | {"same_template": False}, "gguf model llama.cpp prompts"),
    ):
        llama = good["gguf model"]["llama.cpp"] | {key: change}
        assert out_of_bounds(good | {"gguf model": {"llama.cpp": llama}}) == [said]
    for weights in ({"missing": 1, "largest_difference": 0.0}, {"missing": 0, "largest_difference": 0.01}):
        assert out_of_bounds({"gguf adapter": {"weights": weights}}) == ["gguf adapter weights"]
    assert out_of_bounds({"modelfile": {"conversations": 4, "same_bytes": 3}}) == ["modelfile"]
    few = {"n": 4, "same_level": 3, "mean_difference": 0.0}
    assert out_of_bounds({"adapter": {"in_float32": few}}) == []  # one may differ


def test_of_phi3_the_adapter_is_written_and_no_modelfile(tmp_path):
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer = smollm_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = Phi3Config(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            pad_token_id=2, bos_token_id=1, eos_token_id=2, initializer_range=0.3,
        )  # fmt: skip
        Phi3ForCausalLM(config).to(torch.bfloat16).save_pretrained(tmp_path / "phi")
    tokenizer.save_pretrained(tmp_path / "phi")
    judge = save_judge(tmp_path / "judge", locate(str(tmp_path / "phi")), targets=["qkv_proj", "down_proj"])
    forms = export(Asked(judge, "gguf", tmp_path / "gguf"))["parity"]["forms"]
    assert forms["gguf adapter"]["weights"]["missing"] == 0 and forms["gguf model"] == NOT_WHOLE
    assert not (tmp_path / "gguf" / MODEL).exists()
    peft = export(Asked(judge, "peft", tmp_path / "peft"))["parity"]["forms"]["adapter"]
    assert peft["with_the_program"]["same_level"] == DECISIONS
    with pytest.raises(UttaError, match="'phi3' cannot be exported for Ollama"):
        export(Asked(judge, "ollama", tmp_path / "ollama"))


def test_faults_leave_nothing_behind(judge, tmp_path, base):
    def refused(match, to="gguf"):
        with pytest.raises(UttaError, match=match):
            export(Asked(judge, to, tmp_path / "out"))
        assert {path.name for path in tmp_path.iterdir()} - {"home"} == {"judge"}

    from safetensors.torch import load_file, save_file

    weights = judge / "adapter" / "adapter_model.safetensors"
    save_file({name: tensor * 1e6 for name, tensor in load_file(weights).items()}, weights)
    refused("are too large for the 16 bits")  # while the folder is being made
    write_json(judge / "adapter" / "base.json", {"name": "other", "fingerprint": "0"})
    refused("was trained on other")
    with pytest.raises(UttaError, match="exists already"):
        export(Asked(judge, "peft", judge))
    (tmp_path / "plain").mkdir()
    manifest = json.loads((judge / "manifest.json").read_text(encoding="utf-8"))
    write_json(tmp_path / "plain" / "manifest.json", manifest | {"adapter": None})
    for name in ("program.json", "rubric.yaml"):
        (tmp_path / "plain" / name).write_bytes((judge / name).read_bytes())
    with pytest.raises(UttaError, match="has no weights of its own to export"):
        export(Asked(tmp_path / "plain", "peft", tmp_path / "out"))
