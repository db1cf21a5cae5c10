"""Public data sets as their publishers lay them out: which files, and how their columns become those of the feeds."""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.shops.layouts import amazon, hm, rees46, retailrocket, taobao
from pipeline.shops.layouts.layout import Layout

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "amazon_2018": amazon.LAYOUT_2018,
        "amazon_2023": amazon.LAYOUT_2023,
        "rees46": rees46.LAYOUT,
        "retailrocket": retailrocket.LAYOUT,
        "taobao": taobao.LAYOUT,
        "hm": hm.LAYOUT,
    }
)
