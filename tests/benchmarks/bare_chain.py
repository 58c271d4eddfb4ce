"""拿来比的：四十行的 Flask，照片 → 视觉模型 → 建议模型，没有校验、时限、重试、检查，也不看照片。

UPSTREAM=http://127.0.0.1:9000/v1 gunicorn --chdir tests/benchmarks -k gthread --threads 24 bare_chain:app
"""

import base64
import json
import os

import requests
from flask import Flask, jsonify, request

app = Flask(__name__)
URL = os.environ["UPSTREAM"] + "/chat/completions"


def ask(model: str, content) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0}
    answer = requests.post(URL, json=body, headers={"Authorization": "Bearer x"}, timeout=60)
    answer.raise_for_status()
    return answer.json()["choices"][0]["message"]["content"]


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/analyze_medical_report")
def analyze():
    image = base64.b64encode(request.files["image"].read()).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}}
    rows = json.loads(ask("vision", [picture, {"type": "text", "text": "请读出这张化验单"}]))
    advice = ask("advice", "请解释这张化验单：" + json.dumps(rows, ensure_ascii=False))
    return jsonify({"report": rows, "health_recommendations": advice})
