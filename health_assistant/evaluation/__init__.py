"""评测：CMB-Clin 的病例、EvalScope 基准、指标、裁判、配对比较。"""
