"""图片 -> `ReadReport`：文字识别（text）、符号（glyphs）、单元格（cells）、行（rows）、读者（reader）。"""
