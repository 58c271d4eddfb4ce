"""OpenAI 兼容的模型服务：api 管协议，后端（embedded）管回答。"""
