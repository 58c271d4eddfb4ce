"""在 EvalScope 登记的评测 lab_report_pages：一页一题，看图抄成 JSON。导入很慢，用到时才导入。"""

from pathlib import Path

from evalscope.api.dataset import Sample
from evalscope.api.messages import ChatMessageUser, ContentImage, ContentText
from evalscope.api.model import ModelAPI, ModelOutput
from evalscope.constants import Tags

from health_assistant.evaluation.benchmark import JsonlBenchmark, LocalModel, register
from health_assistant.lab_report.vl_protocol import READ_PROMPT, UNREADABLE_ANSWER, answer_of

NAME, SUBSET = "lab_report_pages", "pages"


@register(NAME, SUBSET, Tags.MULTI_MODAL, "化验单", "看图抄化验单；逐字段的得分在 eval_vl.py")
class LabReportPages(JsonlBenchmark):
    """eval_vl.py 写的 jsonl，每行 {"id", "image"}，另有 prompt 的照它问；发给接口时 EvalScope 把图变成 data URL。"""

    def record_to_sample(self, record: dict) -> Sample:
        """一页 -> EvalScope 的一题：图与提示词。"""
        content = [ContentImage(image=record["image"]), ContentText(text=record.get("prompt", READ_PROMPT))]
        return Sample(input=[ChatMessageUser(content=content)], target="", metadata={"id": record["id"]})


def image_of(input: list) -> str:
    """一题的图在哪里。"""
    return next(part.image for part in input[-1].content if part.type == "image")


class LocalVisionModel(LocalModel):
    """本地的视觉模型；dialogues 是图的位置，固定分批。"""

    vision = True
    size = staticmethod(lambda image: Path(image).stat().st_size)

    def __init__(self, model: Path, images: list[str], batch_size: int, max_tokens: int, max_pixels: int):
        super().__init__(model, None, images, batch_size, max_tokens)
        self.max_pixels = max_pixels

    def dialogue(self, input: list) -> str:
        """一题 -> 图的位置。"""
        return image_of(input)

    def _load(self) -> tuple:
        from health_assistant.training import loading, vision

        model, folder = super()._load()[0], self.sources[0]
        tokenizer = loading.load_tokenizer(folder, vision=True)
        return model, tokenizer, vision.load_image_processor(folder, self.max_pixels)

    def _answer(self, dialogues: list[str]) -> list[ModelOutput]:
        from health_assistant.training.vision import generation_inputs

        _, tokenizer, processor = self.loaded
        return self._write(generation_inputs(dialogues, READ_PROMPT, processor, tokenizer, self.max_pixels))


class EmbeddedReader(ModelAPI):
    """内置引擎，答得和视觉模型一样：JSON（另带把握），读不出就说看不清。"""

    def __init__(self):
        from health_assistant.lab_report.reading.reader import ENGINE_NAME, ReportReader

        super().__init__(model_name=ENGINE_NAME)
        self.reader = ReportReader()

    def generate(self, input, tools, tool_choice, config) -> ModelOutput:
        """读一题的图；工具与生成的设置都用不上。"""
        from PIL import Image

        from health_assistant.images import BadImage
        from health_assistant.lab_report.report import UnreadableReport

        try:
            with Image.open(image_of(input)) as image:
                reading = self.reader.read(image)
        except (UnreadableReport, BadImage):
            return ModelOutput.from_content(self.model_name, UNREADABLE_ANSWER)
        return ModelOutput.from_content(self.model_name, answer_of(reading))
