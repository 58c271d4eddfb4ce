"""接口文档，OpenAPI 3.1：各种回答的样子来自 pydantic 模型，其余在这里写一遍。"""

from pydantic import BaseModel, Field
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from health_assistant.lab_report.report import LabReport, Triage
from medical_report.analysis import Told
from medical_report.question import Outcome
from medical_report.upload import MAX_PAGES
from medical_report.views import AdviceRequest, AskRequest


class Engines(BaseModel):
    """谁读的，谁核对的，谁建议的。"""

    vision: str
    verified_by: str | None = None
    advice: str


class Analysis(BaseModel):
    """一份报告（一张照片，或几页）的完整回答。"""

    request_id: str
    analysis_result: str
    health_recommendations: str
    advice_html: str
    report: LabReport
    triage: Triage
    notices: list[str]
    engines: Engines
    timings_ms: dict[str, int]
    disclaimer: str
    exchanges: list[dict] = []


class Answer(BaseModel):
    """一个问题的回答；先说的急话总在 `answer_html` 的最前，没有认出急事的最后总有一句打 120 与 12356。"""

    request_id: str
    outcome: Outcome
    answer_html: str
    engine: str = Field(description="没有接建议模型、只答急事的是空的")
    disclaimer: str


class Problem(BaseModel):
    """没有办成：给人看的说明、给程序看的代号。"""

    error: str
    code: str
    request_id: str
    file: int | None = Field(None, description="收到几个文件，其中一个不能用的：第几个，从 1 起；别的没有这一项")


_PROBLEMS = {
    "400": "没有图片、文件损坏，或请求的写法不对",
    "401": "没有密钥，或密钥不对",
    "404": "没有接建议模型，只答急事",
    "413": "字节、像素或页太多",
    "415": "不是认得的图片格式，也不是 PDF",
    "422": "图片太小或太长，PDF 加了密或太复杂，看不清，不是化验单（code 说是别的单子还是不会读的语言）",
    "429": "太频繁，或用的人太多；过 Retry-After 秒再来",
    "500": "服务器出了问题",
    "503": "排队的照片太多；过 Retry-After 秒再来",
}


def document(max_upload_mb: int) -> dict:
    """OpenAPI 3.1 的文档；max_upload_mb 是上传的上限，MB。"""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (AdviceRequest, "validation"),
        (AskRequest, "validation"),
        (Analysis, "serialization"),
        (Answer, "serialization"),
        (Problem, "serialization"),
    ]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")
    photo = {"type": "string", "contentMediaType": "application/octet-stream"}
    told = Told.model_json_schema()["properties"]
    images = {"type": "array", "items": photo, "minItems": 1}
    form = {"type": "object", "properties": {"image": images, **told}, "required": ["image"]}
    upload = (
        f"一份化验单：一个或几个 image，JPEG、PNG、WebP、HEIC 或 PDF，"
        f"一共 {MAX_PAGES} 页、{max_upload_mb} MB 以内；几页的读完合成一份"
    )
    analysis = _json(
        _ref("Analysis"), "完整的回答；要 text/event-stream 时是 accepted、page、report、advice、done 或 error"
    )
    analysis["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    answer = _json(_ref("Answer"), "回答；outcome 是 answered、nothing（没有能回答的）、failed、refused 或 emergency")
    bundle = _json({"type": "object"}, "HL7 FHIR R4 的 Bundle", "application/fhir+json")
    ready = {code: _json({"type": "object"}) for code in ("200", "503")}
    trace = {"name": "trace", "in": "query", "schema": {"enum": ["1"]}, "description": "附上与上游的往来"}
    posts = {
        "/analyze_medical_report": _post("照片或 PDF → 判断与建议", form, analysis, upload) | {"parameters": [trace]},
        "/advice": _post("改正过的各行 → 判断与建议", _ref("AdviceRequest"), analysis),
        "/ask": _post("改正过的各行与一个问题 → 写好的话里有关的几句", _ref("AskRequest"), answer, "各行与问题"),
        "/fhir": _post("改正过的各行 → FHIR R4", _ref("AdviceRequest"), bundle),
    }
    return {
        "openapi": "3.1.0",
        # 相对于文档自己的地址：服务可以放在反向代理的一个路径下面
        "servers": [{"url": "./"}],
        "info": {"title": "健康助手：接口集成服务", "version": "1"},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "paths": {
            **{path: {"post": post} for path, post in posts.items()},
            "/health": {"get": {"summary": "活着没有", "responses": {"200": _json({"type": "object"})}}},
            "/ready": {"get": {"summary": "模型装好没有、上游通不通", "responses": ready}},
        },
    }


def _post(summary: str, schema: dict, answer: dict, description: str = "各行") -> dict:
    """一个 POST：正文是某个模型的 JSON，或上传的表单。"""
    kind = "application/json" if "$ref" in schema else "multipart/form-data"
    problems = {status: _json(_ref("Problem"), meaning) for status, meaning in _PROBLEMS.items()}
    return {
        "summary": summary,
        "requestBody": {"description": description, "required": True, "content": {kind: {"schema": schema}}},
        "responses": {"200": answer, **problems},
        "security": [{}, {"key": []}],
    }


def _json(schema: dict, description: str = "好的", kind: str = "application/json") -> dict:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _ref(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}
