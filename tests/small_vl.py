"""视觉训练测试共用的：一两秒就造好的极小基座，和几十张小图。"""

from pathlib import Path
from unittest import mock

from health_assistant import artifacts
from health_assistant.training import tiny_models


def build_small_base(folder: Path) -> Path:
    """和 tiny 同样的做法，只是小得多。"""
    import torch

    recipe = tiny_models.VL_RECIPE
    text = recipe["text"] | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1}
    vision = recipe["vision"] | {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2}
    small = {"vocab_size": 700, "reports": 60, "text": text, "vision": vision}
    small["rope"] = recipe["rope"] | {"mrope_section": [2, 3, 3]}
    with (
        mock.patch.dict(tiny_models.VL_RECIPE, small),
        mock.patch.object(artifacts, "tiny_model_dir", lambda kind: folder),
    ):
        tiny_models.build_tiny_vl()
    torch.manual_seed(0)
    return folder


def write_pages(folder: Path) -> None:
    """14 张小小的噪点图，各有一项的真值；不用画真的化验单。"""
    from PIL import Image

    from health_assistant.lab_report.report import PrintedRow, ReadReport

    for split, count in (("train", 12), ("val", 2)):
        (folder / split).mkdir(parents=True)
        rows = []
        for at in range(count):
            Image.effect_noise((112, 84), 90).convert("RGB").save(folder / split / f"{at}.png")
            report = ReadReport(report_type="血常规", items=[PrintedRow(name="白细胞", result=str(at + 3.5))])
            rows.append({"file_name": f"{at}.png", "report": report.model_dump_json()})
        artifacts.write_jsonl(folder / split / "metadata.jsonl", rows)
