"""OpenAI 兼容的模型服务：api 管协议，后端（embedded、transformers_backend）管回答；vLLM 自带协议，只要命令。"""
