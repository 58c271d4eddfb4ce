"""OpenAI 兼容的模型服务：api 管 HTTP，protocol 管请求的样子，embedded、transformers_backend 管回答；vLLM 只要命令。"""
