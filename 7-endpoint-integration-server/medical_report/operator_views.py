"""给运行服务的人看的：就绪没有、计量、状态页、接口文档。"""

from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from medical_report import counters
from medical_report.analysis import get_analyst
from medical_report.openapi import document

blueprint = Blueprint("operator", __name__, static_folder="status_page", static_url_path="/status")


@blueprint.get("/ready")
def ready() -> tuple[dict, int]:
    """内置引擎装好了就算就绪：上游全断，服务也能答。"""
    is_ready = get_analyst(current_app).reader.is_loaded
    return {"status": "ready" if is_ready else "loading", "upstreams": _upstreams()}, 200 if is_ready else 503


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Prometheus 的各个计数。"""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/openapi.json")
def openapi() -> dict:
    """接口文档。"""
    return document(current_app.config["MAX_CONTENT_LENGTH"] // 1024**2)


@blueprint.get("/status")
def status() -> Response:
    """状态页。"""
    return blueprint.send_static_file("index.html")


@blueprint.get("/status/data")
def status_data() -> dict:
    """状态页上的数。"""
    return {
        "upstreams": _upstreams(),
        "in_progress": int(REGISTRY.get_sample_value("health_in_progress")),
        "requests": counters.count(counters.REQUESTS),
        "steps": counters.summarize_steps(),
        "errors": counters.count(counters.ERRORS),
        "recent_errors": list(current_app.extensions["recent_errors"])[::-1],
        "upstream_failures": counters.count(counters.UPSTREAM_FAILURES),
        "degraded": counters.count(counters.DEGRADED),
        "guarded": int(REGISTRY.get_sample_value("health_guarded_advice_total")),
    }


def _upstreams() -> dict[str, dict]:
    """视觉与建议各接的是谁、通不通；没有接的不在里面。"""
    analyst = get_analyst(current_app)
    return {
        upstream.name: {
            "model": upstream.model,
            "state": upstream.state,
            "last_success": upstream.last_success,
            "last_error": upstream.last_error,
            "left_out": upstream.left_out,
        }
        for upstream in (analyst.vision, analyst.advice)
        if upstream
    }
