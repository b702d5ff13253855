"""What people at the centre write: opinions, reasons, complaints and requests; short, plausible, and about nobody."""

from typing import Final

OPINIONS: Final = (
    "材料齐全，符合法定条件，同意办理。",
    "经审查，申请材料真实有效，准予许可。",
    "符合规定，同意，请窗口通知申请人领取。",
    "现场情况与申报材料一致，同意。",
    "经集体研究，符合条件，予以批准。",
    "条件具备，同意核发证件。",
)
"""Why something was granted."""
DENIALS: Final = (
    "经审查，经营场所不符合规定的安全距离，不予许可。",
    "申请人未取得前置批准文件，不符合法定条件。",
    "专业人员数量达不到规定要求，不予批准。",
)
NOT_COMPETENT: Final = (
    "该事项属县级部门职权，请向所在县主管部门申请。",
    "该事项不属于本部门职权范围，已告知应受理的机关。",
    "该事项依法不需要取得行政许可，请自行办理登记。",
)
PROCEDURES: Final = (
    "依法须经专门程序，所需时间已书面告知申请人。",
    "须委托有资质的机构出具结论，已告知所需时间。",
)
"""Why a case waits for a procedure of art. 45."""
COMPLEX: Final = ("案情复杂，涉及多方利害关系人，经批准延长期限。", "需跨部门核实材料，经批准延长审查期限。")
CHANGED_PLANS: Final = ("投资计划调整，申请撤回。", "项目暂缓实施，自愿撤回申请。", "需补充完善方案后再行申请。")
COMPLAINTS: Final = (
    "反映窗口工作时间无人值守。",
    "反映办理事项往返多次，未一次性告知。",
    "反映服务态度生硬，解释不清楚。",
    "反映已到承诺时间仍未办结。",
)
ANSWERS: Final = ("经核实，已责成窗口整改并向投诉人说明情况。", "经查反映问题基本属实，已批评教育并办结所涉事项。")
REQUESTS: Final = (
    "请协调项目用地预审进度。",
    "请协调供电线路迁改。",
    "请指导办理消防设计审核。",
    "请上门指导办理出口退税。",
)
SETTLED: Final = ("已召集有关部门现场协调，问题解决。", "已派专人上门服务，企业表示满意。")
