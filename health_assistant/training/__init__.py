"""训练：配方（recipe）、微型基座（tiny_models）、载入模型（loading）、训练与续训（run）。"""
