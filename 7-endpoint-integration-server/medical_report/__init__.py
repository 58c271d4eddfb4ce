"""阶段 7 的 Flask 应用。upload 收照片，analysis 读、判、释，views 是接口，spoken 把文字变成安全的 HTML。"""

from flask import Flask
from werkzeug.routing import PathConverter

from health_assistant.serving import ChineseJson
from medical_report.page_reading import Analyst
from medical_report.settings import Settings, load_settings
from medical_report.upload import MemoryRequest


class MedicalReportApp(Flask):
    """上传的文件只放在内存里的 Flask。"""

    request_class = MemoryRequest


class WebAppPath(PathConverter):
    """网页的文件在 / 下，任何名字都可能；但只收 POST 的地址不是文件，GET 它们要答 405。"""

    regex = r"(?!(?:analyze_medical_report|advice|ask|fhir)$)[^/].*?"


def create_app(settings: Settings | None = None) -> Flask:
    """应用工厂；settings 不给就从环境变量与设置文件读，写错时抛 `SettingsError`。"""
    from medical_report import middleware, operator_views, views

    settings = settings or load_settings()
    app = MedicalReportApp(__name__, static_folder=None)
    app.static_folder = settings.web_app
    app.url_map.converters["web_app_path"] = WebAppPath
    app.add_url_rule("/<web_app_path:filename>", "static", app.send_static_file)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_mb * 1024 * 1024
    app.json = ChineseJson(app)
    app.extensions["analyst"] = Analyst(settings)
    middleware.install(app, settings)
    app.register_blueprint(views.blueprint)
    app.register_blueprint(operator_views.blueprint)
    return app
