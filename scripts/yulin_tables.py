"""The tables generate_yulin.py draws from: kinds of action, limits of the law, art. 45 procedures, regions, names."""

from typing import Final

CITY: Final = "450900"

ACTIONS: Final = {
    "n": ("核发", "Issue of"),
    "c": ("变更", "Change of"),
    "r": ("延续", "Renewal of"),
    "s": ("补发", "Replacement of"),
    "x": ("注销", "Cancellation of"),
    "a": ("年检", "Annual inspection of"),
}
AT_ONCE: Final = frozenset("sxa")
"""Replacement, cancellation and annual inspection were done while the applicant waited."""

SHORT_LAW: Final = (5, 7, 10, 15, 20)
LONG_LAW: Final = (12, 15, 20, 20, 20, 30, 30, 45, 60)
"""Statutory limits in working days: of a change or renewal, and of everything else; 20 is the Licensing Law's."""
LICENSING_LAW: Final = "《中华人民共和国行政许可法》第四十二条"

PROCEDURES: Final = {
    "检疫": "quarantine",
    "检验": "inspection",
    "特种设备": "inspection",
    "验收": "inspection",
    "水质": "testing",
    "环境影响": "expert_review",
    "可行性": "expert_review",
    "设计": "expert_review",
    "水土保持": "expert_review",
    "鉴定": "appraisal",
    "招拍挂": "auction",
    "采矿": "auction",
    "招标": "tender",
    "拆迁": "hearing",
    "收费标准": "hearing",
    "规划许可": "hearing",
    "药品": "testing",
    "食品": "testing",
    "餐饮": "testing",
    "计量": "testing",
}
DISCLOSURES: Final = (
    *("name", "basis", "materials", "standards"),
    *("procedure", "promised_limit", "fees", "window_authority"),
)
MATERIALS: Final = (
    *("法定代表人身份证明", "营业执照副本", "经办人授权委托书", "经营场所使用证明", "规章制度文本", "专业人员资格证明"),
    *("平面图", "可行性研究报告", "设备清单", "项目批准文件", "验资证明"),
)
LEGS: Final = {
    "重大建设项目联合审批": ("GTJ", "GHJ", "HBJ"),
    "建设项目设计文件联合审查": ("XFZD", "RFB", "QXJ", "GHJ"),
    "建设项目竣工联合验收": ("XFZD", "HBJ", "GHJ", "RFB"),
    "建设工程规划并联审批": ("GTJ", "RFB"),
    "环境影响评价并联审批": ("SLJ", "LYJ"),
    "企业设立并联审批": ("GSH", "DSJ", "ZLJ", "GAJ"),
}
COMPLETE: Final = frozenset(
    {
        *("ZJJ", "JJZD", "CZJ", "LDJ", "FCJ", "SZJ", "JTJ", "XMJ", "WSJ", "JSW"),
        *("SJJ", "TYJ", "WJJ", "GSJ", "YCJ", "LYY", "DAJ", "YWJ", "GLJ", "GJJ"),
    }
)
"""Departments that have declared their delegations complete: they have delegated approval of all their items, and
decide no part of a joint case of others."""
REPLACED: Final = {"CZJ": ("2009-06-30", "2009-07-01"), "LDJ": ("2009-06-30", "2009-07-01")}
"""Departments whose chief representative was replaced: last day of the first, first day of the second."""
AMOUNTS: Final = {"公积金个人贷款": 300_000, "资产处置": 1_000_000, "决算审计": 5_000_000, "设计及概算": 5_000_000}
"""Up to how many yuan the chief representative may approve by himself, by what the item is about."""
REGIONS: Final = (
    ("450000", "广西壮族自治区", "Guangxi Zhuang Autonomous Region", None, "region"),
    (CITY, "玉林市", "Yulin City", "450000", "city"),
    ("450902", "玉州区", "Yuzhou District", CITY, "county"),
    ("450921", "容县", "Rong County", CITY, "county"),
    ("450922", "陆川县", "Luchuan County", CITY, "county"),
    ("450923", "博白县", "Bobai County", CITY, "county"),
    ("450924", "兴业县", "Xingye County", CITY, "county"),
    ("450981", "北流市", "Beiliu City", CITY, "county"),
    ("YLYD", "玉东新区", "Yudong New District", CITY, "county"),
)

TRADES: Final = ("机械", "陶瓷", "服装", "制药", "水泥", "食品", "物流", "饲料", "电子", "林产")
WORKS: Final = (
    *("工业园区标准厂房", "日用陶瓷生产线", "城区道路改造", "污水处理厂"),
    *("农产品批发市场", "物流中心", "水库除险加固"),
)
