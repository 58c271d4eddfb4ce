"""画 PNG 图表：matplotlib 配上随包安装的中文字体，不要显示器。"""

from importlib import resources
from pathlib import Path

from matplotlib.figure import Figure

from health_assistant.artifacts import atomic_path


def new_figure(width: float = 8, height: float = 4.5, rows: int = 1, columns: int = 1) -> tuple[Figure, list]:
    """一张图和它的坐标系列表（从左到右、从上到下）；宽高单位是英寸。图上的中文能正常显示。"""
    import matplotlib
    from matplotlib import font_manager

    font = resources.files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf"
    font_manager.fontManager.addfont(str(font))
    family = font_manager.FontProperties(fname=str(font)).get_name()
    matplotlib.rcParams.update({"font.family": family, "axes.unicode_minus": False})
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def save_png(figure: Figure, path: Path) -> None:
    """原子地写成 PNG，一英寸 110 像素。"""
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
